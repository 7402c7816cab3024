"""A module that takes its time to be imported: until the file is there that the environment names."""

import os
import time
from pathlib import Path

while not Path(os.environ["BRIDGE_TESTS_IMPORTED"]).exists():
    time.sleep(0.01)
