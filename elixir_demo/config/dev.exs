import Config

config :badge_forge, BadgeForge.Repo, url: "postgres://postgres:postgres@localhost/badge_forge"
