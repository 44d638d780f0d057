"""What is wrong with the way a compilation ended: nothing, or what a user must not see."""

import re

import onnx

# 6 is documented too, as a defect of Dougong: no model may lead there.
ALLOWED = {0, 2, 3, 4, 5}
TRACES = ("Stack dump", "PLEASE submit", "Assertion", "terminate called", "LLVM ERROR", "Sanitizer",
          "runtime error:", "Traceback", "std::bad_alloc")
SIGNALS = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV",
           14: "no end in time"}
# Words that are written with a capital wherever they stand.
NAMES = {schema.name for schema in onnx.defs.get_all_schemas()} | {"Protobuf"}


def wrong_form(line, model):
    """What an error message lacks: a file or node, and the form of a sentence's part."""
    text = line.removeprefix("error: ")
    if not text.startswith(f"{model}: ") and not re.search(r"(node|stage) '|run: ", text):
        return "the message names no file, node or stage"
    text = text.removeprefix(f"{model}: ").removeprefix("run: ")
    text = re.sub(r"^(program \S+: )?(node '.*?'( \(\S+\))?: )?('onnx\.\S+' op )?", "", text)
    word = re.match(r"[A-Za-z]*", text)[0]
    # K, NodeProto and the like are names.
    if re.fullmatch(r"[A-Z][a-z]+", word) and word not in NAMES:
        return "the message begins with a capital"
    if re.search(r"[^.]\.$", text):
        return "the message ends with a full stop"
    # What is quoted are the user's names.
    text = re.sub(r"'.*?'|\".*?\"", "", text)
    if re.search(r"\[(Shape|Type)InferenceError\]|==> Context|\\n|\.cc:|\.h:\d", text):
        return "the message is the library's"
    return ""


def judge(answer, log, model):
    """`answer` is the worker's ("exit", "3"), `log` what the compiler said. Gives "" or a fault."""
    kind, number = answer
    if trace := next((trace for trace in TRACES if trace in log), ""):
        return f"{kind} {number}, with a trace: {trace}"
    if kind == "signal":
        return SIGNALS.get(int(number), f"signal {number}")
    code = int(number)
    if code not in ALLOWED:
        return f"exit code {code}"
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    if code == 0:
        return f"exit code 0 with an error: {errors[0]}" if errors else ""
    if len(errors) != 1:
        return f"exit code {code} with {len(errors)} errors"
    stray = [line for line in log.splitlines()
             if not re.match(r"error: |warning: |note: |remark: ", line)]
    if stray:
        return f"stray output: {stray[0]}"
    return wrong_form(errors[0], model)
