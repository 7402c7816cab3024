"""Periodic jobs, by cron expressions in Oban's dialect."""

from bridge.cron.crontab import Line, load_crontab
from bridge.cron.entry import Entry
from bridge.cron.expression import Expression
from bridge.cron.options import CronOptions, parse_cron
from bridge.cron.scheduler import Scheduler
from bridge.cron.zones import find_zone

__all__ = ["CronOptions", "Entry", "Expression", "Line", "Scheduler", "find_zone", "load_crontab", "parse_cron"]
