"""Says whether what the conformance suite found is what it may find.

usage: judge.py SUITE REVISION FIXTURES PRODUCT      the folder of the suite's package, and those of the two runs' results

A check fails where it is not a success (a warning is a failure, too). Against the fixture build only what stands in `expected`
may fail: checks of the bridge between HTTP and standard input, which no server behind it can pass. Against the product a scenario
may fail besides where it asks for a name of the suite's own: that stands in `names`, and the same scenario passes against the
fixture build, which is the same code with these names. What stands in a list and does not fail is an error, too. Extensions of the
protocol that the server does not declare are told and not judged: the suite itself does not score them.
"""

import glob
import json
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
suite, revision, *runs = sys.argv[1:]


def lines(name):
    with open(os.path.join(here, name)) as file:
        return [line.split() for line in file if line.strip() and not line.startswith("#")]


def extensions():
    """The scenarios of extensions, as the suite's own list of requirements names them."""
    with open(os.path.join(suite, "requirements", f"{revision}.yaml")) as file:
        text = file.read()
    return set(re.findall(r"- scenario: (\S+)\n\s+leg: server\n\s+reason: extension", text))


def found(folder):
    """Of each scenario, what its checks say that are no success, and how many are."""
    scenarios = {}
    for path in glob.glob(os.path.join(folder, "server-*", "checks.json")):
        name = re.sub(r"^server-(.*)-\d{4}-\d\d-\d\dT[\d-]+Z$", r"\1", os.path.basename(os.path.dirname(path)))
        bad, good = scenarios.setdefault(name, ({}, set()))
        with open(path) as file:
            for check in json.load(file):
                if check["status"] in ("FAILURE", "WARNING"):
                    bad[check["id"]] = check.get("errorMessage") or check["description"]
                elif check["status"] == "SUCCESS":
                    good.add(check["id"])
    if not scenarios:
        sys.exit(f"{revision}: the suite left no results in {folder}")
    return scenarios


bridge = {(words[1], words[2].rstrip(":")) for words in lines("expected") if words[0] == revision}
names = {words[0]: words[1] for words in lines("names")}
optional = extensions()
with open(os.path.join(suite, "dist", "index.js")) as file:
    source = file.read()
wrong = [f"`{name}`, which `{scenario}` asks for, is not in the suite" for scenario, name in names.items() if name not in source]
fixtures, product = (found(folder) for folder in runs)


def failing(scenarios):
    """What fails beyond the bridge, without extensions."""
    left = {}
    for scenario, (bad, _) in scenarios.items():
        checks = {check: why for check, why in bad.items() if (scenario, check) not in bridge}
        if checks and scenario not in optional:
            left[scenario] = checks
    return left


for scenario, checks in failing(fixtures).items():
    wrong += [f"fixtures, {scenario}, {check}: {why}" for check, why in checks.items()]
asked = 0
for scenario, checks in failing(product).items():
    for check, why in checks.items():
        name = names.get(scenario) or names.get(f"{scenario}/{check}")
        if name is None:
            wrong.append(f"product, {scenario}, {check}: {why}")
    asked += 1
for scenario, check in sorted(bridge):
    for run in (fixtures, product):
        if scenario in run and check not in run[scenario][0]:
            wrong.append(f"{scenario}, {check}: it passes, and is still listed as one of the bridge")
for scenario in names:
    scenario, _, check = scenario.partition("/")
    bad, good = product.get(scenario, ({}, set()))
    if scenario in product and (check in good if check else not bad):
        wrong.append(f"{scenario}: it passes without the name that it is said to ask for")

scored = [scenario for scenario in fixtures if scenario not in optional]
print(
    f"{revision}: {len(scored)} scenarios; with the fixtures all pass but for {len(bridge)} checks of the bridge; "
    f"{len(scored) - asked} need no fixture and pass against the product"
)
undeclared = sorted(scenario for scenario in optional if scenario in fixtures and fixtures[scenario][0])
if undeclared:
    print(f"{revision}: {len(undeclared)} scenarios of extensions that are not declared: {' '.join(undeclared)}")
for line in wrong:
    print(f"{revision}: {line}")
sys.exit(bool(wrong))
