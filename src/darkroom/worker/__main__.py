"""`python -m darkroom.worker` is a worker of a server."""

import os
import sys

from darkroom.worker.process import main

if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # taking torch apart would only let the next worker wait
