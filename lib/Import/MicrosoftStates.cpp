//===- MicrosoftStates.cpp - bodies of recurrences in other layouts -------===//
#include "MicrosoftFunctions.h"

#include <fmt/format.h>

using namespace dougong::importer;

namespace {

constexpr const char *constants = R"(axis0 = Constant <value_ints = [0]> ()
axis1 = Constant <value_ints = [1]> ()
axis2 = Constant <value_ints = [2]> ()
behind = Constant <value_ints = [9223372036854775807]> ()
zero = Constant <value_float = 0.0> ()
)";

/// The body has nodes for each slot. Windows are of a few tokens that may be taken back.
bool isWindow(int64_t window) { return window >= 0 && window <= 1024; }

/// "past": the last slot of a window of states, or input `input` as it is.
std::string writePast(int64_t window, int input) {
  if (window == 0)
    return fmt::format("past = Identity (i{})\n", input);
  return fmt::format("last_slot = Constant <value_int = {}> ()\n"
                     "past = Gather <axis = 0> (i{}, last_slot)\n",
                     window - 1, input);
}

/// "o1": states "state0", ... each in a slot of its own, those before the first place (there are
/// "length" places) zeros.
std::string writeWindow(int64_t window) {
  std::string text, slots;
  for (int64_t slot = 0; slot < window; ++slot) {
    text += fmt::format("least{0} = Constant <value_ints = [{1}]> ()\n"
                        "has{0} = GreaterOrEqual (length, least{0})\n"
                        "none{0} = CastLike (zero, state{0})\n"
                        "kept{0} = Where (has{0}, state{0}, none{0})\n"
                        "slot{0} = Unsqueeze (kept{0}, axis0)\n",
                        slot, window - slot);
    slots += fmt::format("{}slot{}", slot ? ", " : "", slot);
  }
  return text + fmt::format("o1 = Concat <axis = 0> ({})", slots);
}

} // namespace

/// The convolution of the past and the new places in one; the state is the end of that. In a
/// window of states, those of earlier places end earlier.
std::string dougong::importer::writeCausalConv(const Call &call) {
  int64_t window = call.getInt("state_window", 0), dilation = call.getInt("dilation", 1);
  int64_t channels = call.getExtent(1, 0), taps = call.getExtent(1, 2);
  bool isLast = call.getInt("channels_last", 0) != 0;
  std::string activation = call.getString("activation", "none");
  bool silu = activation == "silu" || activation == "swish";
  if (channels < 1 || taps < 2 || dilation < 1 || !isWindow(window) ||
      call.getInt("ndim", 1) != 1 || (!silu && activation != "none"))
    return "";
  int64_t state = (taps - 1) * dilation;
  std::string text = constants;
  // Channels first: [batch, channels, length].
  auto putFirst = [&](const char *to, const char *from) {
    return isLast ? fmt::format("{0}_rows = Reshape ({1}, rows)\n"
                                "{0} = Transpose <perm = [0, 2, 1]> ({0}_rows)\n",
                                to, from)
                  : fmt::format("{} = Identity ({})\n", to, from);
  };
  auto putBack = [&](const std::string &to, const std::string &from, const char *shape) {
    return isLast ? fmt::format("{0}_rows = Transpose <perm = [0, 2, 1]> ({1})\n"
                                "{0} = Reshape ({0}_rows, {2})\n",
                                to, from, shape)
                  : fmt::format("{} = Identity ({})\n", to, from);
  };
  if (isLast)
    text += fmt::format("rows = Constant <value_ints = [0, 0, -1]> ()\n"
                        "input_shape = Shape (i0)\n"
                        "batch = Shape <end = 1> (i0)\n"
                        "parts = Shape <start = 2> (i0)\n"
                        "state_length = Constant <value_ints = [{}]> ()\n"
                        "state_shape = Concat <axis = 0> (batch, state_length, parts)\n",
                        state);
  text += putFirst("x", "i0") + "length = Shape <start = 2> (x)\n";
  if (call.has(3)) {
    text += writePast(window, 3) + putFirst("before", "past");
  } else {
    text += fmt::format("outer = Shape <end = 2> (x)\n"
                        "missing = Constant <value_ints = [{}]> ()\n"
                        "before_shape = Concat <axis = 0> (outer, missing)\n"
                        "none = CastLike (zero, i0)\n"
                        "before = Expand (none, before_shape)\n",
                        state);
  }
  text += fmt::format("all = Concat <axis = 2> (before, x)\n"
                      "sums = Conv <group = {}, dilations = [{}]> (all, i1{})\n",
                      channels, dilation, call.has(2) ? ", i2" : "");
  text += silu ? "curve = Sigmoid (sums)\ny = Mul (sums, curve)\n" : "y = Identity (sums)\n";
  text += putBack("o0", "y", "input_shape");
  auto cut = [&](const std::string &to, const char *from, int64_t later) {
    return fmt::format("{0}_start = Constant <value_ints = [{1}]> ()\n"
                       "{0}_end = Constant <value_ints = [{2}]> ()\n"
                       "{0} = Slice ({3}, {0}_start, {4}, axis2)\n",
                       to, -state - later, -later, from, later ? to + "_end" : "behind");
  };
  if (window == 0)
    return text + cut("end", "all", 0) + putBack("o1", "end", "state_shape");
  text += fmt::format("pads = Constant <value_ints = [0, 0, {}, 0, 0, 0]> ()\n"
                      "padded = Pad (all, pads)\n",
                      window - 1);
  for (int64_t slot = 0; slot < window; ++slot) {
    std::string end = fmt::format("end{}", slot);
    text += cut(end, "padded", window - 1 - slot) +
            putBack(fmt::format("state{}", slot), end, "state_shape");
  }
  return text + writeWindow(window);
}

/// In pieces: the places before the window, then one place for each slot that follows.
std::string dougong::importer::writeLinearAttention(const Call &call) {
  int64_t window = call.getInt("state_window", 0);
  if (!isWindow(window))
    return "";
  std::string text = constants, outputs;
  text += "length = Shape <start = 1, end = 2> (i0)\n";
  if (call.has(3))
    text += writePast(window, 3);
  std::string before = call.has(3) ? "past" : "\"\"";
  for (int64_t slot = 0; slot < window; ++slot) {
    int64_t later = window - 1 - slot;
    text += fmt::format("start{0} = Constant <value_ints = [{1}]> ()\n"
                        "end{0} = Constant <value_ints = [{2}]> ()\n",
                        slot, -later - 1, -later);
    auto piece = [&](int input) -> std::string {
      if (!call.has(input))
        return "\"\"";
      std::string name = fmt::format("piece{}_{}", slot, input);
      text += fmt::format("{} = Slice (i{}, {}, {}, axis1)\n", name, input,
                          slot ? fmt::format("start{}", slot) : "axis0",
                          later ? fmt::format("end{}", slot) : "behind");
      return name;
    };
    std::string query = piece(0), key = piece(1), value = piece(2), decay = piece(4),
                beta = piece(5);
    text += fmt::format("y{0}, state{0} = com.microsoft.LinearAttention {1} ({2}, {3}, {4}, {5}, "
                        "{6}, {7})\n",
                        slot, call.attributesBut({"state_window"}), query, key, value, before,
                        decay, beta);
    before = fmt::format("state{}", slot);
    outputs += fmt::format("{}y{}", slot ? ", " : "", slot);
  }
  return text + fmt::format("o0 = Concat <axis = 1> ({})\n", outputs) + writeWindow(window);
}
