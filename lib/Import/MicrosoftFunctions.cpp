//===- MicrosoftFunctions.cpp - bodies for operators of com.microsoft -----===//
#include "MicrosoftFunctions.h"
#include "Error.h"

#include <onnx/defs/parser.h>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>

using namespace dougong::importer;

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

std::string dougong::importer::printFloat(double value) { return fmt::format("{:.9e}", value); }

const pb::AttributeProto *Call::find(llvm::StringRef name) const {
  for (const pb::AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

int64_t Call::getInt(llvm::StringRef name, int64_t otherwise) const {
  const pb::AttributeProto *attribute = find(name);
  return attribute ? attribute->i() : otherwise;
}

std::string Call::getString(llvm::StringRef name, llvm::StringRef otherwise) const {
  const pb::AttributeProto *attribute = find(name);
  return attribute ? attribute->s() : otherwise.str();
}

static std::string printAttribute(const pb::AttributeProto &attribute) {
  auto list = [](const auto &values, auto print) {
    std::string text;
    for (const auto &value : values)
      text += (text.empty() ? "" : ", ") + print(value);
    return "[" + text + "]";
  };
  auto integer = [](int64_t value) { return std::to_string(value); };
  switch (attribute.type()) {
  case pb::AttributeProto::INT:
    return fmt::format("{} : int = {}", attribute.name(), attribute.i());
  case pb::AttributeProto::FLOAT:
    return fmt::format("{} : float = {}", attribute.name(), printFloat(attribute.f()));
  case pb::AttributeProto::STRING: {
    std::string text;
    for (char character : attribute.s())
      text += (character == '"' || character == '\\' ? "\\" : "") + std::string(1, character);
    return fmt::format("{} : string = \"{}\"", attribute.name(), text);
  }
  case pb::AttributeProto::INTS:
    return fmt::format("{} : ints = {}", attribute.name(), list(attribute.ints(), integer));
  case pb::AttributeProto::FLOATS:
    return fmt::format("{} : floats = {}", attribute.name(), list(attribute.floats(), printFloat));
  default:
    return "";
  }
}

std::string Call::attributes(llvm::ArrayRef<llvm::StringRef> names) const {
  std::string text;
  for (const pb::AttributeProto &attribute : node.attribute())
    if (llvm::is_contained(names, attribute.name()))
      text += (text.empty() ? "" : ", ") + printAttribute(attribute);
  return text.empty() ? "" : "<" + text + ">";
}

std::string Call::attributesBut(llvm::ArrayRef<llvm::StringRef> names) const {
  std::vector<llvm::StringRef> others;
  for (const pb::AttributeProto &attribute : node.attribute())
    if (!llvm::is_contained(names, attribute.name()))
      others.push_back(attribute.name());
  return attributes(others);
}

std::string Call::elementType(int input) const {
  auto found = has(input) ? types.find(node.input(input)) : types.end();
  if (found == types.end() || found->second.tensor_type().elem_type() == 0)
    return "";
  return pb::PrimitiveTypeNameMap::ToString(found->second.tensor_type().elem_type());
}

pb::FunctionProto dougong::importer::parseBody(const pb::NodeProto &node,
                                               const pb::ModelProto &model,
                                               llvm::ArrayRef<std::string> inputs,
                                               llvm::ArrayRef<std::string> outputs,
                                               const std::string &nodes) {
  std::string microsoft;
  if (int64_t version = getOpsetVersion(model, "com.microsoft"))
    microsoft = fmt::format(", \"com.microsoft\" : {}", version);
  std::string text = fmt::format("<opset_import : [\"\" : {}{}], domain : \"com.microsoft\">\n"
                                 "{} ({}) => ({}) {{\n{}\n}}",
                                 newestOpset, microsoft, node.op_type(), llvm::join(inputs, ", "),
                                 llvm::join(outputs, ", "), nodes);
  // The parser reads up to it.
  if (text.find('\0') != std::string::npos)
    throw ImportError("a string attribute holds a zero byte", node.name());
  pb::FunctionProto body;
  pb::OnnxParser parser(text.c_str());
  if (auto status = parser.Parse(body); !status.IsOK())
    throw ImportError("the body of " + node.op_type() + " cannot be read: " + status.ErrorMessage(),
                      node.name());
  return body;
}

int64_t Call::getExtent(int input, int dim) const {
  auto found = has(input) ? types.find(node.input(input)) : types.end();
  if (found == types.end() || dim >= found->second.tensor_type().shape().dim_size() ||
      !found->second.tensor_type().shape().dim(dim).has_dim_value())
    return -1;
  return found->second.tensor_type().shape().dim(dim).dim_value();
}

namespace {

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

std::string writeTransposeMatMul(const Call &call) {
  return fmt::format("o0 = com.microsoft.FusedMatMul {} (i0, i1)", call.attributesBut({}));
}

/// The activation of FusedGemm and FusedMatMulActivation, none being the identity; "" if it is not
/// known.
std::string writeActivation(const Call &call) {
  std::string name = call.getString("activation", ""), given;
  auto add = [&](llvm::StringRef from, llvm::StringRef to) {
    if (const pb::AttributeProto *value = call.find(from))
      given += fmt::format("{}{} : float = {}", given.empty() ? "" : ", ", to.str(),
                           printFloat(value->f()));
  };
  static constexpr llvm::StringRef plain[] = {"Relu", "Tanh", "Sigmoid", "Softplus", "Softsign"},
                                   scaled[] = {"LeakyRelu", "Elu", "ThresholdedRelu"};
  if (llvm::is_contained(scaled, name) || name == "HardSigmoid")
    add("activation_alpha", "alpha");
  else if (name.empty())
    name = "Identity";
  else if (!llvm::is_contained(plain, name))
    return "";
  if (name == "HardSigmoid")
    add("activation_beta", "beta");
  return fmt::format("o0 = {} {} (sums)", name, given.empty() ? "" : "<" + given + ">");
}

/// `sums`, and the activation of them.
std::string writeActivated(const Call &call, const std::string &sums) {
  std::string activation = writeActivation(call);
  return activation.empty() ? "" : sums + "\n" + activation;
}

std::string writeFusedGemm(const Call &call) {
  return writeActivated(call, fmt::format("sums = Gemm {} (i0, i1{})",
                                          call.attributes({"alpha", "beta", "transA", "transB"}),
                                          call.has(2) ? ", i2" : ""));
}

std::string writeFusedMatMulActivation(const Call &call) {
  return writeActivated(call, fmt::format("sums = com.microsoft.FusedMatMul {} (i0, i1)",
                                          call.attributes({"alpha", "transA", "transB",
                                                           "transBatchA", "transBatchB"})));
}

/// Weights of 4 bits, the high ones of a byte first: numbers of a table, scaled in blocks.
std::string writeMatMulBnb4(const Call &call) {
  int64_t k = call.getInt("K", 0), n = call.getInt("N", 0), block = call.getInt("block_size", 0);
  if (k < 1 || n < 1 || block < 1 || n * k % block != 0)
    return "";
  const char *fp4 = "0.0, 5.208333333e-03, 0.66666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25, "
                    "0.0, -5.208333333e-03, -0.66666667, -1.0, -0.33333333, -0.5, -0.16666667, "
                    "-0.25";
  const char *nf4 =
      "-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, "
      "-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0, "
      "0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, "
      "0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0";
  return fmt::format(
      R"(table = Constant <value = float[16] {{{}}}> ()
four = Constant <value = uint8 {{4}}> ()
low_bits = Constant <value = uint8 {{15}}> ()
last = Constant <value_ints = [-1]> ()
first_numbers = BitShift <direction = "RIGHT"> (i1, four)
second_numbers = BitwiseAnd (i1, low_bits)
first_column = Unsqueeze (first_numbers, last)
second_column = Unsqueeze (second_numbers, last)
pairs = Concat <axis = -1> (first_column, second_column)
places = Cast <to = 6> (pairs)
values = Gather (table, places)
in_blocks = Constant <value_ints = [-1, {}]> ()
blocks = Reshape (values, in_blocks)
wide_scales = Cast <to = 1> (i2)
scales = Unsqueeze (wide_scales, last)
scaled = Mul (blocks, scales)
extents = Constant <value_ints = [{}, {}]> ()
matrix = Reshape (scaled, extents)
weights = {} (matrix)
a = Cast <to = 1> (i0)
product = MatMul (a, weights)
o0 = CastLike (product, i0))",
      call.getInt("quant_type", 0) ? nf4 : fp4, block, n, k,
      call.getInt("transB", 1) ? "Transpose <perm = [1, 0]>" : "Identity");
}

/// A times the transposed real weights [N, K] "weights", plus the bias `bias` if it is given.
std::string writeWeightProduct(const Call &call, int bias, const char *a) {
  return fmt::format("columns = Transpose <perm = [1, 0]> (weights)\n"
                     "product = MatMul ({}, columns)\n{}"
                     "o0 = CastLike (sum, i0)",
                     a,
                     call.has(bias) ? fmt::format("wide_bias = Cast <to = 1> (i{})\n"
                                                  "sum = Add (product, wide_bias)\n",
                                                  bias)
                                    : "sum = Identity (product)\n");
}

std::string writeFp8Product(const Call &call) {
  std::string text = fmt::format("weights = DequantizeLinear <axis = 1, block_size = {}> (i1, i2)\n"
                                 "a = Cast <to = 1> (i0)\n",
                                 call.getInt("block_size", 128));
  if (!call.has(3))
    return text + writeWeightProduct(call, 4, "a");
  return text +
         "a8 = QuantizeLinear <output_dtype = 17> (a, i3)\n"
         "rounded = DequantizeLinear (a8, i3)\n" +
         writeWeightProduct(call, 4, "rounded");
}

std::string writeFp4Product(const Call &call) {
  return fmt::format(
             R"(table = Constant <value = float[16] {{0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0}}> ()
four = Constant <value = uint8 {{4}}> ()
low_bits = Constant <value = uint8 {{15}}> ()
last = Constant <value_ints = [-1]> ()
first_numbers = BitwiseAnd (i1, low_bits)
second_numbers = BitShift <direction = "RIGHT"> (i1, four)
first_column = Unsqueeze (first_numbers, last)
second_column = Unsqueeze (second_numbers, last)
pairs = Concat <axis = -1> (first_column, second_column)
rows = Constant <value_ints = [0, -1]> ()
numbers = Reshape (pairs, rows)
places = Cast <to = 6> (numbers)
values = Gather (table, places)
scales8 = BitCast <to = 17> (i2)
scales = Cast <to = 1> (scales8)
in_blocks = Constant <value_ints = [0, -1, {}]> ()
blocks = Reshape (values, in_blocks)
block_scales = Unsqueeze (scales, last)
scaled = Mul (blocks, block_scales)
matrix = Reshape (scaled, rows)
weights = Mul (matrix, i3)
a = Cast <to = 1> (i0)
)",
             call.getInt("block_size", 16)) +
         writeWeightProduct(call, 5, "a");
}

//===----------------------------------------------------------------------===//
// Channels last
//===----------------------------------------------------------------------===//

/// Permutations that bring the last of `rank` dims to place 1, and back.
std::pair<std::string, std::string> getPermutations(int64_t rank) {
  std::string forth = "0, " + std::to_string(rank - 1), back = "0";
  for (int64_t dim = 1; dim + 1 < rank; ++dim) {
    forth += ", " + std::to_string(dim);
    back += ", " + std::to_string(dim + 1);
  }
  return {"<perm = [" + forth + "]>", "<perm = [" + back + ", 1]>"};
}

int64_t getWindowRank(const Call &call) {
  for (const char *name : {"kernel_shape", "strides", "dilations"})
    if (const pb::AttributeProto *ints = call.find(name))
      return ints->ints_size() + 2;
  const pb::AttributeProto *pads = call.find("pads");
  return pads ? pads->ints_size() / 2 + 2 : 4;
}

/// `op` between transposes of input 0 and of the result. `rest`: the other operands.
std::string writeChannelsLast(const Call &call, const std::string &op, const std::string &rest) {
  auto [forth, back] = getPermutations(getWindowRank(call));
  return fmt::format("x = Transpose {} (i0)\n"
                     "y = {} {} (x{})\n"
                     "o0 = Transpose {} (y)",
                     forth, op, call.attributesBut({"channels_last"}), rest, back);
}

std::string writeNhwcConv(const Call &call) {
  std::string rest = ", i1";
  if (call.has(2) || call.has(3))
    rest += call.has(2) ? ", i2" : ", \"\"";
  if (!call.has(3))
    return writeChannelsLast(call, "com.microsoft.FusedConv", rest);
  return fmt::format("z = Transpose {} (i3)\n", getPermutations(getWindowRank(call)).first) +
         writeChannelsLast(call, "com.microsoft.FusedConv", rest + ", z");
}

std::string writeNhwcMaxPool(const Call &call) { return writeChannelsLast(call, "MaxPool", ""); }

std::string writeQLinearConv(const Call &call) {
  std::string rest = ", i1, i2, i3, i4, i5, i6, i7";
  rest += call.has(8) ? ", i8" : "";
  if (call.getInt("channels_last", 0))
    return writeChannelsLast(call, "QLinearConv", rest);
  return fmt::format("o0 = QLinearConv {} (i0{})", call.attributesBut({"channels_last"}), rest);
}

std::string writeQLinearAveragePool(const Call &call) {
  return writeChannelsLast(call, "com.microsoft.QLinearAveragePool", ", i1, i2, i3, i4");
}

//===----------------------------------------------------------------------===//
// Quantised tensors
//===----------------------------------------------------------------------===//

std::string writeQLinearWhere(const Call &) {
  return R"(x = DequantizeLinear (i1, i2, i3)
y = DequantizeLinear (i4, i5, i6)
z = Where (i0, x, y)
o0 = QuantizeLinear (z, i7, i8))";
}

/// Inputs after the result's scale and zero point are triples of data, scale and zero point.
std::string writeQLinearConcat(const Call &call) {
  std::string text, parts;
  for (int first = 2; call.has(first); first += 3) {
    text +=
        fmt::format("x{0} = DequantizeLinear (i{0}, i{1}, i{2})\n", first, first + 1, first + 2);
    parts += fmt::format("{}x{}", parts.empty() ? "" : ", ", first);
  }
  return text + fmt::format("whole = Concat {} ({})\n"
                            "o0 = QuantizeLinear (whole, i0, i1)",
                            call.attributes({"axis"}), parts);
}

std::string writeQLinearReduceMean(const Call &call) {
  const pb::AttributeProto *axes = call.find("axes");
  if (!axes)
    return "";
  pb::AttributeProto values = *axes;
  values.set_name("value_ints");
  return fmt::format("axes = Constant <{}> ()\n"
                     "x = DequantizeLinear (i0, i1{})\n"
                     "mean = ReduceMean <keepdims = {}> (x, axes)\n"
                     "{}"
                     "o0 = QuantizeLinear (mean, i3, zero)",
                     printAttribute(values), call.has(2) ? ", i2" : "", call.getInt("keepdims", 1),
                     call.has(4) ? "zero = Identity (i4)\n"
                                 : "nothing = Constant <value_int = 0> ()\n"
                                   "zero = CastLike (nothing, i0)\n");
}

/// The accumulator's scale is alpha times those of A and B; C has it too.
std::string writeQGemm(const Call &call) {
  const pb::AttributeProto *alpha = call.find("alpha");
  auto side = [&](const char *name) {
    return call.getInt(name, 0) ? "Transpose <perm = [1, 0]>" : "Identity";
  };
  return fmt::format("a = {} (i0)\n"
                     "b = {} (i3)\n"
                     "products = MatMulInteger (a, b, i2, i5)\n"
                     "sums = {}\n"
                     "real_sums = Cast <to = 1> (sums)\n"
                     "alpha = Constant <value_float = {}> ()\n"
                     "both = Mul (i1, i4)\n"
                     "scale = Mul (both, alpha)\n"
                     "real = Mul (real_sums, scale)\n"
                     "o0 = {}",
                     side("transA"), side("transB"),
                     call.has(6) ? "Add (products, i6)" : "Identity (products)",
                     printFloat(alpha ? alpha->f() : 1),
                     call.has(7) ? "QuantizeLinear (real, i7, i8)" : "Identity (real)");
}

std::string writeQEmbedNorm(const Call &call) {
  std::string text;
  for (auto [table, scale, zero] :
       {std::array{2, 8, 13}, {3, 9, 14}, {4, 10, 15}, {5, 11, 16}, {6, 12, 17}})
    if (call.has(table))
      text += fmt::format("t{0} = DequantizeLinear (i{0}, i{1}, i{2})\n", table, scale, zero);
  return text + fmt::format("o0, o1 = com.microsoft.EmbedLayerNormalization {} (i0, {}, t2, t3, "
                            "{}, t5, t6{})",
                            call.attributesBut({}), call.has(1) ? "i1" : "\"\"",
                            call.has(4) ? "t4" : "\"\"", call.has(7) ? ", i7" : "");
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// The projections are one integer product; the rest is MultiHeadAttention.
std::string writeQAttention(const Call &call) {
  if (call.getInt("do_rotary", 0) != 0 || call.getInt("past_present_share_buffer", 0) != 0)
    return "";
  auto optional = [&](int input) { return call.has(input) ? fmt::format("i{}", input) : "\"\""; };
  std::string text =
      fmt::format("qkv = com.microsoft.MatMulIntegerToFloat (i0, i1, i3, i4, {}, {}, i2)\n"
                  "q, k, v = Split <axis = -1, num_outputs = 3> (qkv)\n",
                  optional(6), optional(7));
  std::string past = "\"\", \"\"", present;
  if (call.has(8)) {
    text += "zero = Constant <value_int = 0> ()\n"
            "one = Constant <value_int = 1> ()\n"
            "past_key = Gather (i8, zero)\n"
            "past_value = Gather (i8, one)\n";
    past = "past_key, past_value";
  }
  if (call.wants(1))
    present = ", key, value";
  text += fmt::format(
      "o0{} = com.microsoft.MultiHeadAttention {} (q, k, v, \"\", {}, \"\", {})", present,
      call.attributes({"num_heads", "unidirectional", "mask_filter_value", "scale"}), optional(5),
      past);
  if (call.wants(1))
    text += "\nfirst = Constant <value_ints = [0]> ()\n"
            "keys = Unsqueeze (key, first)\n"
            "values = Unsqueeze (value, first)\n"
            "o1 = Concat <axis = 0> (keys, values)";
  return text;
}

/// Query, key and value [batch, length, heads, 3, size] in one tensor, or key and value.
std::string writePackedMultiHead(const Call &call) {
  bool all = !call.has(1);
  std::string text = fmt::format("{}a, b = Split <axis = 3, num_outputs = {}> ({})\n"
                                 "rows = Constant <value_ints = [0, 0, -1]> ()\n"
                                 "key = Reshape (a, rows)\n"
                                 "value = Reshape (b, rows)\n",
                                 all ? "q, " : "", all ? 3 : 2, all ? "i0" : "i1");
  text += all ? "query = Reshape (q, rows)\n" : "query = Identity (i0)\n";
  std::string outputs = "o0", inputs;
  for (int output = 1; output < 4; ++output)
    outputs += call.wants(output) ? fmt::format(", o{}", output) : "";
  for (int input = 3; input < 10; ++input)
    inputs += call.has(input) ? fmt::format(", i{}", input) : ", \"\"";
  return text + fmt::format("{} = com.microsoft.MultiHeadAttention {} (query, key, value{})",
                            outputs, call.attributesBut({}), inputs);
}

//===----------------------------------------------------------------------===//
// Gates
//===----------------------------------------------------------------------===//

std::string writeGatedAdd(const Call &call) {
  if (!call.has(3))
    return "scaled = Mul (i1, i2)\n"
           "o0 = Add (i0, scaled)";
  return "projected = MatMul (i2, i3)\n"
         "gate = Sigmoid (projected)\n"
         "scaled = Mul (i1, gate)\n"
         "o0 = Add (i0, scaled)";
}

/// Rows are groups of as many numbers as the scale has.
std::string writeGatedRMSNorm(const Call &call) {
  std::string activation = call.getString("activation", "silu");
  bool silu = activation == "silu" || activation == "swish";
  if (!silu && activation != "sigmoid")
    return "";
  return fmt::format("x = Cast <to = 1> (i0)\n"
                     "scale = Cast <to = 1> (i1)\n"
                     "gate = Cast <to = 1> (i2)\n"
                     "rows = Shape <end = -1> (i0)\n"
                     "groups = Constant <value_ints = [-1]> ()\n"
                     "width = Shape (i1)\n"
                     "grouped = Concat <axis = 0> (rows, groups, width)\n"
                     "parts = Reshape (x, grouped)\n"
                     "normal = RMSNormalization <axis = -1, epsilon = {}> (parts, scale)\n"
                     "extents = Shape (i0)\n"
                     "whole = Reshape (normal, extents)\n"
                     "curve = Sigmoid (gate)\n"
                     "factor = {}\n"
                     "y = Mul (whole, factor)\n"
                     "o0 = CastLike (y, i0)",
                     printFloat(call.find("epsilon") ? call.find("epsilon")->f() : 1e-5f),
                     silu ? "Mul (gate, curve)" : "Identity (curve)");
}

std::string writeLinearAttentionGate(const Call &call) {
  std::string text = "a = Cast <to = 1> (i0)\n"
                     "shifted = Add (a, i1)\n"
                     "soft = Softplus (shifted)\n"
                     "decay = Mul (soft, i2)\n"
                     "o0 = CastLike (decay, i0)";
  return call.wants(1) ? text + "\no1 = Sigmoid (i3)" : text;
}

std::string writeBiasAdd(const Call &) {
  return "sum = Add (i0, i1)\n"
         "o0 = Add (sum, i2)";
}

std::string writeBiasSplitGelu(const Call &) {
  return "sum = Add (i0, i1)\n"
         "left, right = Split <axis = -1, num_outputs = 2> (sum)\n"
         "curve = Gelu (right)\n"
         "o0 = Mul (left, curve)";
}

using Writer = std::string (*)(const Call &call);

/// The body's nodes for a node in this form; null if it has a lowering of its own or is not known.
Writer getWriter(const pb::NodeProto &node) {
  static const llvm::StringMap<Writer> writers = {
      {"BiasAdd", writeBiasAdd},
      {"BiasSplitGelu", writeBiasSplitGelu},
      {"FusedGemm", writeFusedGemm},
      {"FusedMatMulActivation", writeFusedMatMulActivation},
      {"GatedAdd", writeGatedAdd},
      {"GatedRMSNorm", writeGatedRMSNorm},
      {"LinearAttentionGate", writeLinearAttentionGate},
      {"MatMulBlockQuantizedFp4Weight", writeFp4Product},
      {"MatMulBlockQuantizedFp8Weight", writeFp8Product},
      {"MatMulBnb4", writeMatMulBnb4},
      {"NhwcConv", writeNhwcConv},
      {"NhwcFusedConv", writeNhwcConv},
      {"NhwcMaxPool", writeNhwcMaxPool},
      {"PagedAttention", writePagedAttention},
      {"QAttention", writeQAttention},
      {"QEmbedLayerNormalization", writeQEmbedNorm},
      {"QGemm", writeQGemm},
      {"QLinearConcat", writeQLinearConcat},
      {"QLinearConv", writeQLinearConv},
      {"QLinearReduceMean", writeQLinearReduceMean},
      {"QLinearWhere", writeQLinearWhere},
      {"SparseAttention", writeSparseAttention},
      {"TransposeMatMul", writeTransposeMatMul}};
  if (node.domain() != "com.microsoft")
    return nullptr;
  Call call(node, {});
  if (node.op_type() == "MultiHeadAttention" && !call.has(2))
    return writePackedMultiHead;
  if (call.getInt("state_window", 0) != 0 && node.op_type() == "LinearAttention")
    return writeLinearAttention;
  if (node.op_type() == "CausalConvWithState" &&
      (call.getInt("state_window", 0) != 0 || call.getInt("dilation", 1) != 1 ||
       call.getInt("channels_last", 0) != 0))
    return writeCausalConv;
  if (node.op_type() == "QLinearAveragePool" && call.getInt("channels_last", 0))
    return writeQLinearAveragePool;
  return writers.lookup(node.op_type());
}

} // namespace

bool dougong::importer::hasMicrosoftBody(const pb::NodeProto &node) { return getWriter(node); }

bool dougong::importer::buildMicrosoftBody(const pb::NodeProto &node, const pb::ModelProto &model,
                                           const Types &types, pb::FunctionProto &body) {
  std::string nodes = getWriter(node)(Call(node, types));
  if (nodes.empty())
    return false;
  auto list = [](char letter, int count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i)
      names.push_back(letter + std::to_string(i));
    return names;
  };
  body = parseBody(node, model, list('i', node.input_size()), list('o', node.output_size()), nodes);
  return true;
}
