"""Workers that are defined for one test."""

from bridge import Worker, worker


def define(**options):
    @worker(**options)
    class Defined(Worker):
        def process(self, job): ...

    return Defined
