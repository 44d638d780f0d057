#!/usr/bin/env python3
"""Runs the ONNX backend suite through Dougong and compares with the stored outputs.

Each case is compiled, run and ended in a process of its own, with limits of time and
memory. Cases that are expected not to pass are listed, with the reason, in
test/Conformance/; one that passes all the same fails the run, and so does any other
that does not. The last line says how many passed, failed and were expected to fail.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

import expectations
import suite


class Worker:
    """A process that compiles and runs models, each in a child of its own."""

    def __init__(self, options):
        self.options = options
        self.process = None

    def ask(self, fields):
        """The words of the answer to a request, for both see worker.cpp."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [self.options.bin / "dougong-conformance-worker", str(self.options.timeout),
                 str(self.options.memory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write("\t".join(map(str, fields)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def run(self, model, steps, outputs, arguments=()):
        """Gives "" or why the model did not run to its end."""
        answer = self.ask([*arguments, model, outputs, *steps])
        if answer == ["exit", "0"]:
            return ""
        if len(answer) == 2 and answer[0] == "exit":
            log = (outputs / "log").read_text(errors="replace").splitlines()
            errors = [line for line in log if line.startswith("error:")]
            return (errors or log or [f"exit code {answer[1]} without a message"])[0]
        if len(answer) == 2 and answer[0] == "signal":
            signals = {"14": f"no end after {self.options.timeout} s", "11": "crash (SIGSEGV)",
                       "6": "crash (SIGABRT)", "4": "crash (SIGILL)", "8": "crash (SIGFPE)"}
            return signals.get(answer[1], f"ended by signal {answer[1]}")
        return "the worker ended"

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def run_case(case, form, worker, scratch):
    """Gives "" or why the case does not pass."""
    folder = scratch / f"{form}-{case.name}"
    outputs = folder / "outputs"
    try:
        outputs.mkdir(parents=True)
        model, steps = suite.prepare(case, form, folder)
        reason = worker.run(model, [inputs for inputs, _ in steps], outputs)
        for number, (_, expected) in enumerate(steps):
            if reason:
                break
            got = []
            for index, reference in enumerate(expected):
                value = type(reference)()
                value.ParseFromString(
                    (outputs / f"step_{number}" / f"output_{index}.pb").read_bytes())
                got.append(suite.to_numpy(value))
            reason = suite.compare(case, got, [suite.to_numpy(value) for value in expected])
        return reason
    except (OSError, ValueError, TypeError) as error:
        return f"harness: {error}"
    finally:
        suite.remove(folder)


class Results:
    """Reasons by (form, case), kept in a file as they come where one is named."""

    def __init__(self, path):
        self.reasons = {}
        self.lock = threading.Lock()
        self.file = None
        if path:
            if path.exists():
                for line in path.read_text().splitlines():
                    form, name, reason = json.loads(line)
                    self.reasons[form, name] = reason
            self.file = path.open("a")

    def add(self, form, name, reason):
        with self.lock:
            self.reasons[form, name] = reason
            if self.file:
                self.file.write(json.dumps([form, name, reason]) + "\n")
                self.file.flush()


def in_sample(case, form, share):
    """A fixed choice of one in `share` cases, another for each form."""
    digest = hashlib.sha256(f"{form} {case.name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % share == 0


def select(cases, options):
    jobs = []
    for form in options.form:
        for case in cases:
            if options.filter and not re.search(options.filter, case.name):
                continue
            if not options.sample or in_sample(case, form, options.sample):
                jobs.append((form, case))
    return jobs


def run_all(jobs, options, results):
    local = threading.local()
    workers = []

    def run(job):
        form, case = job
        if not hasattr(local, "worker"):
            local.worker = Worker(options)
            workers.append(local.worker)
        results.add(form, case.name, run_case(case, form, local.worker, scratch))

    with tempfile.TemporaryDirectory(prefix="dougong-conformance-") as folder:
        scratch = pathlib.Path(folder)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            todo = [job for job in jobs if (job[0], job[1].name) not in results.reasons]
            for done, _ in enumerate(pool.map(run, todo), 1):
                if options.progress and done % 100 == 0:
                    print(f"{done} of {len(todo)}", file=sys.stderr, flush=True)
        for worker in workers:
            worker.close()


def report(jobs, options, results):
    """Prints the verdicts; gives the number of failures."""
    passed = failed = skipped = 0
    groups = collections.Counter()
    expected = {form: expectations.read_list(form) for form in options.form}
    for form, case in jobs:
        reason = results.reasons[form, case.name]
        listed = expected[form].get(case.name)
        if reason:
            groups[form, expectations.generalize(reason)] += 1
        if listed and reason and expectations.generalize(reason) != expectations.generalize(listed):
            failed += 1
            print(f"FAIL {form} {case.name}: {reason}, but is listed as: {listed}")
        elif listed and reason:
            skipped += 1
            if options.verbose:
                print(f"XFAIL {form} {case.name}: {reason}")
        elif listed:
            failed += 1
            print(f"FAIL {form} {case.name}: passes, but is listed as: {listed}")
        elif reason:
            failed += 1
            print(f"FAIL {form} {case.name}: {reason}")
        else:
            passed += 1
            if options.verbose:
                print(f"PASS {form} {case.name}")
    if options.summary:
        for (form, reason), count in groups.most_common():
            print(f"{count:5} {form}: {reason}")
        for form in options.form:
            verdicts = [results.reasons[form, case.name] for other, case in jobs if other == form]
            good = sum(not reason for reason in verdicts)
            print(f"{form}: {good} of {len(verdicts)} pass, "
                  f"{100 * good / max(1, len(verdicts)):.1f} %")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed


def check_tables(cases, write):
    page = expectations.make_tables(cases)
    path = expectations.TABLES
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page)
    elif not path.exists() or path.read_text() != page:
        raise SystemExit(f"error: {path.relative_to(expectations.ROOT)} is stale: run "
                         "dougong-conformance --write-tables")


def main():
    parser = argparse.ArgumentParser(prog="dougong-conformance", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--form", action="append", choices=suite.FORMS,
                        help="may repeat; default: all three")
    parser.add_argument("--filter", help="regular expression: only cases whose name it fits")
    parser.add_argument("--sample", type=int, help="a fixed choice of one case in so many")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--timeout", type=int, default=120, help="seconds for a case")
    parser.add_argument("--memory", type=int, default=6144, help="MiB for a case")
    parser.add_argument("--resume", type=pathlib.Path,
                        help="file of results: those in it are kept, new ones added")
    parser.add_argument("--summary", action="store_true", help="failures by reason, and shares")
    parser.add_argument("--verbose", action="store_true", help="every case, not only failures")
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--write-expected", action="store_true",
                        help="rewrite the lists of test/Conformance from this run")
    parser.add_argument("--write-tables", action="store_true",
                        help="rewrite docs/conformance from the lists; runs nothing")
    parser.add_argument("--check-tables", action="store_true",
                        help="fail if docs/conformance is stale; runs nothing")
    options = parser.parse_args()
    options.form = options.form or list(suite.FORMS)
    cases = suite.all_cases()
    if options.write_tables or options.check_tables:
        check_tables(cases, options.write_tables)
        return 0
    jobs = select(cases, options)
    results = Results(options.resume)
    run_all(jobs, options, results)
    if options.write_expected:
        if options.filter or options.sample:
            raise SystemExit("error: --write-expected needs all cases: leave out --filter, --sample")
        for form in options.form:
            expectations.write_list(form, {case.name: results.reasons[form, case.name]
                                           for other, case in jobs if other == form
                                           and results.reasons[form, case.name]})
    return 1 if report(jobs, options, results) else 0


if __name__ == "__main__":
    sys.exit(main())
