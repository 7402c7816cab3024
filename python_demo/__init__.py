"""Badge Forge, the demo: badges are enqueued as rows, rendered to PDF, and confirmed to a print centre.

`python -m python_demo --jobs 20` runs it whole. `bridge start --import python_demo.workers --queues
badges:10` runs only its Python side, beside an Elixir node.
"""
