//===- SanitizerOptions.cpp - how the sanitizers run ----------------------===//
//
// In every executable of a build with -fsanitize=address, so that tests, ranks and
// debuggers need no environment. ASAN_OPTIONS and UBSAN_OPTIONS go over these.
//
//===----------------------------------------------------------------------===//

extern "C" {

/// - abort_on_error: tests tell an end by a signal from a refusal; the default exit
///   code 1 would pass where a refusal is expected.
/// - allow_user_poisoning=0: LLVM's headers mark the memory of its allocators as
///   poisoned; Debian's LLVM is built without sanitizers and never clears the marks
///   of memory that it then uses.
/// - detect_container_overflow=0: for the same reason, of containers that both fill.
/// - detect_leaks=0: LLVM and MLIR keep registries for the life of the process.
/// - allocator_may_return_null: "no memory" is an error message in the runtime.
const char *__asan_default_options() {
  return "abort_on_error=1:allow_user_poisoning=0:detect_container_overflow=0:detect_leaks=0:"
         "allocator_may_return_null=1";
}

const char *__ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }
}
