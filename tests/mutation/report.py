"""Says which mutants of `make mutate` live, and fails where the tests kill too few of them.

Two kinds count as equivalent, and not as living: those that differ only in the wording of a sentence or in a cast, and
those that `living.md` has with a reason. Paste what is printed there if no behaviour can tell the mutant from the code.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ENOUGH = 0.97
EQUIVALENT = (Path(__file__).parent / "living.md").read_text()
# Exit codes of pytest as mutmut keeps them: it passed, or it found no test to run. A test that never ends kills.
LIVING = {0, 5, 33}
STRING = re.compile(r""""[^"]*"|'[^']*'""")
CAST = re.compile(r'cast\((?:"[^"]*"|None), ')


def diff_of(mutant: str) -> str:
    """Return the lines that a mutant changes."""
    command = [sys.executable, "-m", "mutmut", "show", mutant]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603
    return "\n".join(line[0] + line[1:].strip() for line in shown if re.match(r"[-+](?![-+])", line))


def is_wording(diff: str) -> bool:
    """Tell whether a diff only spoils the letters of a sentence, with XX around it or in another case, or a cast."""
    old, _, new = diff.partition("\n+")
    if CAST.sub("", old[1:]) == CAST.sub("", new):
        return True
    if STRING.sub("", old[1:]) != STRING.sub("", new):
        return False
    changed = [(a, b) for a, b in zip(STRING.findall(old), STRING.findall(new), strict=True) if a != b]
    return bool(changed) and all(" " in a and b.replace("XX", "").lower() == a.lower() for a, b in changed)


def main() -> int:
    codes: dict[str, int] = {}
    for file in Path("mutants").rglob("*.meta"):
        codes |= json.loads(file.read_text())["exit_code_by_key"]
    checked = {mutant: code for mutant, code in codes.items() if code is not None}
    wording, listed, living = 0, 0, []
    for mutant in sorted(mutant for mutant, code in checked.items() if code in LIVING):
        diff = diff_of(mutant)
        function = re.sub(r"\.x_?", ".", mutant.rpartition("__mutmut_")[0]).replace("ǁ", ".").replace("..", ".")
        entry = f"### {function}\n\n```diff\n{diff}\n```\n"
        if is_wording(diff):
            wording += 1
        elif entry in EQUIVALENT:
            listed += 1
        else:
            living.append(f"{entry}\n({mutant})\n")
    print(*living, sep="\n")
    total, equivalent = len(checked), wording + listed
    killed = total - equivalent - len(living)
    share = killed / max(1, total - equivalent)
    print(
        f"{total} mutants: {killed} killed, {len(living)} living, {wording} wordings, {listed} equivalent: {share:.1%}"
    )
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
