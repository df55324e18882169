"""What `benchmarks.scaling` measures, on a small model. Called by a test: `python separate_scaling.py`.

Prints for each command how many pictures one process has done, whether two together have done the same, and whether so have two apart
with another number of pictures.
"""

import json
import shutil

from benchmarks import models, scaling
from benchmarks.folders import workplace


def main() -> None:
    sizes = {"vocab_size": 1000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    models.TEXT |= sizes
    scaling.BATCH, scaling.NEW_TOKENS = 1, 3
    found = {}
    for command in scaling.COMMANDS:
        one, two = (scaling.work(command, 2, way).result for way in ("one", "two"))
        other = scaling.work(command, 1, "apart").result
        found[command.name] = [len(one), command.equal(one, two), command.equal(one, other)]
    print(json.dumps(found))
    shutil.rmtree(workplace())  # whoever calls this may not run what is to be done at exit


if __name__ == "__main__":
    main()
