"""Settings as a folder's file, the arguments and the environment give them."""

from bridge.config import load_settings

NAMES = (
    "contracts.elixir, contracts.elixir_module, contracts.path, contracts.python, cron.enabled, cron.entries, "
    "cron.timezone, dsn, imports, insert_trigger, leader.enabled, leader.interval, lifeline.enabled, "
    "lifeline.interval, lifeline.rescue_after, log_level, name, node, notifier.dsn, notifier.enabled, pool.max_size, "
    "pool.min_size, pool.prepared, pool.timeout, prefix, processes, pruner.interval, pruner.limit, pruner.max_age, "
    "pruner.max_len, pruner.mode, pruner.queues, pruner.states, pruner.workers, queues, reindexer.enabled, "
    "reindexer.indexes, reindexer.schedule, reindexer.timeout, reindexer.timezone, services, shutdown_grace_period, "
    "stager.interval, stager.mode"
)


def loader(folder):
    """A function that loads settings from the folder, with a file of the given text in it."""

    def load_from(toml="", name="bridge.toml", arguments=None, **environment):
        if toml:
            (folder / name).write_text(toml, encoding="utf-8")
        return load_settings(arguments, environment=environment, folder=folder)

    return load_from
