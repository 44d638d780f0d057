//===- MicrosoftCaches.cpp - bodies of attention over caches that are buffers ===//
#include "MicrosoftFunctions.h"

#include <fmt/format.h>

using namespace dougong::importer;

namespace {

/// Numbers, and lists of one axis.
constexpr const char *constants = R"(zero = Constant <value_int = 0> ()
one = Constant <value_int = 1> ()
axis0 = Constant <value_ints = [0]> ()
axis1 = Constant <value_ints = [1]> ()
axis2 = Constant <value_ints = [2]> ()
last = Constant <value_ints = [-1]> ()
)";

/// Query, key and value with heads of their own ("q", "k", "v": [rows..., heads, size]), from
/// three inputs or one. `rows`: zeros of Reshape for the dims before.
std::string writeHeads(const Call &call, int64_t heads, int64_t kv, const char *rows, int axis) {
  if (!call.has(1))
    return fmt::format("all_heads = Constant <value_ints = [{0}, {1}, -1]> ()\n"
                       "together = Reshape (i0, all_heads)\n"
                       "counts = Constant <value_ints = [{2}, {3}, {3}]> ()\n"
                       "q, k, v = Split <axis = {4}> (together, counts)\n",
                       rows, heads + 2 * kv, heads, kv, axis);
  return fmt::format("query_heads = Constant <value_ints = [{0}, {1}, -1]> ()\n"
                     "key_heads = Constant <value_ints = [{0}, {2}, -1]> ()\n"
                     "q = Reshape (i0, query_heads)\n"
                     "k = Reshape (i1, key_heads)\n"
                     "v = Reshape (i2, key_heads)\n",
                     rows, heads, kv);
}

/// Rotates `from` ([batch, heads, length, size]) to `to` by the places "positions".
std::string writeRotation(const Call &call, const char *from, const char *to, int cosines) {
  if (!call.getInt("do_rotary", 0))
    return fmt::format("{} = Identity ({})\n", to, from);
  return fmt::format("{} = com.microsoft.RotaryEmbedding <interleaved = {}> ({}, positions, i{}, "
                     "i{})\n",
                     to, call.getInt("rotary_interleaved", 0), from, cosines, cosines + 1);
}

} // namespace

/// New keys and values go to the places of the cache that follow those in use. Which blocks of
/// keys a block of queries sees is told by a table in compressed rows, for layouts that the heads
/// take in turn; it is spread to a mask.
std::string dougong::importer::writeSparseAttention(const Call &call) {
  int64_t heads = call.getInt("num_heads", 0), kv = call.getInt("kv_num_heads", 0);
  int64_t block = call.getInt("sparse_block_size", 0);
  if (heads < 1 || kv < 1 || block < 1)
    return "";
  std::string text = writeHeads(call, heads, kv, "0, 0", 2);
  text += constants;
  text += fmt::format(R"(none = Constant <value_ints = [0]> ()
flat = Constant <value_ints = [-1]> ()
length_1 = Shape <start = 1, end = 2> (i0)
length = Squeeze (length_1)
total_1 = Cast <to = 7> (i7)
total = Reshape (total_1, flat)
totals = Cast <to = 7> (i8)
is_prompt = Equal (total, length_1)
before = Sub (totals, length_1)
past = Where (is_prompt, none, before)
steps = Range (zero, length, one)
starts = Unsqueeze (past, axis1)
positions = Add (starts, steps)
q4 = Transpose <perm = [0, 2, 1, 3]> (q)
k4 = Transpose <perm = [0, 2, 1, 3]> (k)
v4 = Transpose <perm = [0, 2, 1, 3]> (v)
)");
  text += writeRotation(call, "q4", "q_turned", 9) + writeRotation(call, "k4", "k_turned", 9);
  std::string scale = call.attributes({"scale"});
  text += fmt::format(R"(o1 = TensorScatter <axis = -2> (i3, k_turned, past)
o2 = TensorScatter <axis = -2> (i4, v4, past)
row_ends = Cast <to = 7> (i5)
row_shape = Shape <start = 1, end = 2> (row_ends)
row_count = Squeeze (row_shape)
low_rows = Slice (row_ends, none, flat, axis1)
far = Constant <value_ints = [9223372036854775807]> ()
first_row = Constant <value_ints = [1]> ()
high_rows = Slice (row_ends, first_row, far, axis1)
low = Unsqueeze (low_rows, axis2)
high = Unsqueeze (high_rows, axis2)
entry_shape = Shape <start = 1, end = 2> (i6)
entry_count = Squeeze (entry_shape)
entries = Range (zero, entry_count, one)
after = LessOrEqual (low, entries)
until = Less (entries, high)
inside = And (after, until)
in_row = Cast <to = 1> (inside)
columns_64 = Cast <to = 7> (i6)
columns = Unsqueeze (columns_64, axis2)
column_count = Sub (row_count, one)
column_numbers = Range (zero, column_count, one)
is_column = Equal (columns, column_numbers)
in_column = Cast <to = 1> (is_column)
found = MatMul (in_row, in_column)
no_block = Constant <value_float = 0.0> ()
layouts = Greater (found, no_block)
block = Constant <value_int = {0}> ()
last_block = Sub (column_count, one)
query_blocks = Div (positions, block)
of_queries = Gather <axis = 1> (layouts, query_blocks)
place_shape = Shape <start = 2, end = 3> (i3)
place_count = Squeeze (place_shape)
places = Range (zero, place_count, one)
place_blocks_all = Div (places, block)
place_blocks = Min (place_blocks_all, last_block)
of_places = Gather <axis = 3> (of_queries, place_blocks)
heads = Constant <value_int = {1}> ()
head_numbers = Range (zero, heads, one)
layout_shape = Shape <start = 0, end = 1> (i5)
layout_count = Squeeze (layout_shape)
head_layouts = Mod (head_numbers, layout_count)
of_heads = Gather <axis = 0> (of_places, head_layouts)
sparse = Transpose <perm = [1, 0, 2, 3]> (of_heads)
position_columns = Unsqueeze (positions, last)
causal_rows = LessOrEqual (places, position_columns)
causal = Unsqueeze (causal_rows, axis1)
mask = And (sparse, causal)
y4 = Attention {2} (q_turned, o1, o2, mask)
y = Transpose <perm = [0, 2, 1, 3]> (y4)
rows = Constant <value_ints = [0, 0, -1]> ()
o0 = Reshape (y, rows))",
                      block, heads, scale);
  return text;
}

/// Tokens of all sequences lie one behind the other, their caches in blocks that a table names.
/// Each token reads the blocks of its sequence: a scan over tokens, so that no more than one
/// sequence's keys are gathered at a time.
std::string dougong::importer::writePagedAttention(const Call &call) {
  int64_t heads = call.getInt("num_heads", 0), kv = call.getInt("kv_num_heads", 0);
  std::string element = call.elementType(0), cacheElement = call.elementType(3);
  bool plain = call.getString("k_quant_type", "NONE") == "NONE" &&
               call.getString("v_quant_type", "NONE") == "NONE" &&
               call.getString("kv_cache_layout", "SEPARATE") == "SEPARATE" &&
               call.getInt("rotary_offset", 0) == 0;
  if (heads < 1 || kv < 1 || !plain || !call.has(4) || element.empty() || element != cacheElement)
    return "";
  std::string text = writeHeads(call, heads, kv, "0", 1);
  if (call.has(12)) {
    const pb::AttributeProto *epsilon = call.find("qk_norm_epsilon");
    std::string attributes =
        fmt::format("<axis = -1, epsilon = {}>", printFloat(epsilon ? epsilon->f() : 1e-6f));
    text += fmt::format("q_normal = RMSNormalization {0} (q, i12)\n"
                        "k_normal = RMSNormalization {0} (k, i13)\n",
                        attributes);
  } else {
    text += "q_normal = Identity (q)\nk_normal = Identity (k)\n";
  }
  text += constants;
  text += R"(first = Constant <value_ints = [1]> ()
far = Constant <value_ints = [9223372036854775807]> ()
token_shape = Shape <start = 0, end = 1> (i0)
token_count = Squeeze (token_shape)
tokens = Range (zero, token_count, one)
starts = Cast <to = 7> (i5)
ends = Slice (starts, first, far, axis0)
token_column = Unsqueeze (tokens, axis1)
is_past = LessOrEqual (ends, token_column)
passed = Cast <to = 7> (is_past)
row = ReduceSum <keepdims = 0> (passed, axis1)
before = Cast <to = 7> (i6)
row_starts = Gather (starts, row)
row_ends = Gather (ends, row)
row_before = Gather (before, row)
row_places = Sub (tokens, row_starts)
position = Add (row_before, row_places)
row_new = Sub (row_ends, row_starts)
total = Add (row_before, row_new)
positions = Unsqueeze (position, axis1)
q4 = Unsqueeze (q_normal, axis2)
k4 = Unsqueeze (k_normal, axis2)
)";
  text += writeRotation(call, "q4", "q_turned", 8) + writeRotation(call, "k4", "k_turned", 8);
  text += R"(q_rows = Squeeze (q_turned, axis2)
k_rows = Squeeze (k_turned, axis2)
table = Cast <to = 7> (i7)
block_shape = Shape <start = 1, end = 2> (i3)
block = Squeeze (block_shape)
inner = Shape <start = 2> (i3)
slot_shape = Concat <axis = 0> (last, inner)
keys = Reshape (i3, slot_shape)
values = Reshape (i4, slot_shape)
)";
  if (call.has(10)) {
    // Tokens without a slot are written to one more row, which is cut off again.
    text += R"(given = Cast <to = 7> (i10)
row_total_1 = Shape <start = 0, end = 1> (keys)
is_given = GreaterOrEqual (given, zero)
slots = Where (is_given, given, row_total_1)
slot_column = Unsqueeze (slots, axis1)
key_spare = Slice (keys, axis0, first, axis0)
value_spare = Slice (values, axis0, first, axis0)
keys_more = Concat <axis = 0> (keys, key_spare)
values_more = Concat <axis = 0> (values, value_spare)
keys_written = ScatterND (keys_more, slot_column, k_rows)
values_written = ScatterND (values_more, slot_column, v)
keys_new = Slice (keys_written, axis0, last, axis0)
values_new = Slice (values_written, axis0, last, axis0)
)";
  } else {
    text += R"(page = Div (position, block)
offset = Mod (position, block)
page_column = Unsqueeze (page, axis1)
row_column = Unsqueeze (row, axis1)
entry = Concat <axis = 1> (row_column, page_column)
block_number = GatherND (table, entry)
block_start = Mul (block_number, block)
slots = Add (block_start, offset)
slot_column = Unsqueeze (slots, axis1)
keys_new = ScatterND (keys, slot_column, k_rows)
values_new = ScatterND (values, slot_column, v)
)";
  }
  // A sink is one more key of zeros, whose score comes from the mask, and whose value is zero.
  bool sink = call.has(11);
  int64_t window = call.getInt("local_window_size", -1);
  std::string attributes = call.attributes({"scale", "softcap"});
  std::string scan;
  scan += "pages = Gather (table_known, r)\n"
          "key_blocks = Gather (key_cache, pages)\n"
          "value_blocks = Gather (value_cache, pages)\n"
          "token_keys = Reshape (key_blocks, in_rows)\n"
          "token_values = Reshape (value_blocks, in_rows)\n"
          "k_first = Transpose <perm = [1, 0, 2]> (token_keys)\n"
          "v_first = Transpose <perm = [1, 0, 2]> (token_values)\n";
  scan += call.getInt("is_causal", 1) ? "seen_back = LessOrEqual (places, p)\n"
                                      : "seen_back = Less (places, n)\n";
  if (window > 0)
    scan += fmt::format("window = Constant <value_int = {}> ()\n"
                        "edge = Sub (p, window)\n"
                        "near = Greater (places, edge)\n"
                        "seen = And (seen_back, near)\n",
                        window);
  else
    scan += "seen = Identity (seen_back)\n";
  std::string keysName = "k_first", valuesName = "v_first", mask = "seen";
  if (sink) {
    scan += "k_all = Concat <axis = 1> (k_first, spare)\n"
            "v_all = Concat <axis = 1> (v_first, spare)\n"
            "scores = Where (seen, score_zero, score_never)\n"
            "score_rows = Expand (scores, score_shape)\n"
            "biases = Concat <axis = 1> (score_rows, sink_column)\n"
            "biases3 = Unsqueeze (biases, axis1)\n";
    keysName = "k_all", valuesName = "v_all", mask = "biases3";
  }
  scan += fmt::format("q_one = Unsqueeze (q1, axis1)\n"
                      "q_four = Unsqueeze (q_one, axis0)\n"
                      "k_four = Unsqueeze ({}, axis0)\n"
                      "v_four = Unsqueeze ({}, axis0)\n"
                      "y4 = Attention {} (q_four, k_four, v_four, {})\n"
                      "head_rows = Constant <value_ints = [{}, -1]> ()\n"
                      "y = Reshape (y4, head_rows)\n",
                      keysName, valuesName, attributes, mask, heads);
  text += fmt::format(R"(cache_shape = Shape (i3)
key_cache = Reshape (keys_new, cache_shape)
value_cache = Reshape (values_new, cache_shape)
table_known = Max (table, zero)
in_rows = Concat <axis = 0> (last, inner)
page_shape = Shape <start = 1, end = 2> (i7)
page_count = Squeeze (page_shape)
place_count = Mul (page_count, block)
places = Range (zero, place_count, one)
)");
  if (sink)
    text += fmt::format(R"(size_shape = Shape <start = 3> (i3)
spare_rows = Constant <value_ints = [{0}, 1]> ()
spare_shape = Concat <axis = 0> (spare_rows, size_shape)
nothing = Constant <value_float = 0.0> ()
nothing_like = CastLike (nothing, i3)
spare = Expand (nothing_like, spare_shape)
never = Constant <value_float = -inf> ()
score_zero = CastLike (nothing, i0)
score_never = CastLike (never, i0)
place_count_1 = Unsqueeze (place_count, axis0)
head_count = Constant <value_ints = [{1}]> ()
score_shape = Concat <axis = 0> (head_count, place_count_1)
sink_column = Unsqueeze (i11, axis1)
)",
                        kv, heads);
  text += fmt::format(
      R"(outputs = Scan <num_scan_inputs = 4, body = step ({0}[{1}, size] q1, int64 r, int64 p, int64 n) => ({0}[{1}, size] y) {{
{2}}}> (q_rows, row, position, total)
flat = Constant <value_ints = [0, -1]> ()
o0 = Reshape (outputs, flat))",
      element, heads, scan);
  if (call.wants(1))
    text += "\no1 = Identity (key_cache)";
  if (call.wants(2))
    text += "\no2 = Identity (value_cache)";
  return text;
}
