//===- GradientRules.cpp - derivatives of operators -----------------------===//
#include "GradientRules.h"
#include "Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <fmt/format.h>

using namespace dougong::importer;

namespace {

//===----------------------------------------------------------------------===//
// Functions of one number
//===----------------------------------------------------------------------===//

/// The derivative `f`, of input i0 and output o0. `half`, `one`, `two` and `zero` are numbers
/// of the input's type.
const llvm::StringMap<const char *> &getDerivatives() {
  static const llvm::StringMap<const char *> derivatives = {
      {"Identity", "f = Identity (one)"},
      {"Neg", "f = Neg (one)"},
      {"Abs", "f = Sign (i0)"},
      {"Exp", "f = Identity (o0)"},
      {"Log", "f = Reciprocal (i0)"},
      {"Sqrt", "f = Div (half, o0)"},
      {"Reciprocal", "s = Mul (o0, o0)\nf = Neg (s)"},
      {"Sin", "f = Cos (i0)"},
      {"Cos", "s = Sin (i0)\nf = Neg (s)"},
      {"Tan", "s = Mul (o0, o0)\nf = Add (one, s)"},
      {"Sinh", "f = Cosh (i0)"},
      {"Cosh", "f = Sinh (i0)"},
      {"Tanh", "s = Mul (o0, o0)\nf = Sub (one, s)"},
      {"Asin", "s = Mul (i0, i0)\nt = Sub (one, s)\nu = Sqrt (t)\nf = Reciprocal (u)"},
      {"Acos", "s = Mul (i0, i0)\nt = Sub (one, s)\nu = Sqrt (t)\nv = Reciprocal (u)\nf = Neg (v)"},
      {"Atan", "s = Mul (i0, i0)\nt = Add (one, s)\nf = Reciprocal (t)"},
      {"Asinh", "s = Mul (i0, i0)\nt = Add (one, s)\nu = Sqrt (t)\nf = Reciprocal (u)"},
      {"Acosh", "s = Mul (i0, i0)\nt = Sub (s, one)\nu = Sqrt (t)\nf = Reciprocal (u)"},
      {"Atanh", "s = Mul (i0, i0)\nt = Sub (one, s)\nf = Reciprocal (t)"},
      // 2 / sqrt(pi) exp(-x^2)
      {"Erf", "s = Mul (i0, i0)\nt = Neg (s)\nu = Exp (t)\nc = Constant <value_float = "
              "1.1283791670955126> ()\nv = CastLike (c, i0)\nf = Mul (v, u)"},
      {"Sigmoid", "s = Sub (one, o0)\nf = Mul (o0, s)"},
      {"Softplus", "f = Sigmoid (i0)"},
      {"Softsign", "s = Abs (i0)\nt = Add (one, s)\nu = Mul (t, t)\nf = Reciprocal (u)"},
      {"Relu", "s = Greater (i0, zero)\nf = Where (s, one, zero)"}};
  return derivatives;
}

std::string writeNumber(const char *name, double value) {
  return fmt::format("{0}_ = Constant <value_float = {1}> ()\n{0} = CastLike ({0}_, i0)\n", name,
                     printFloat(value));
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

/// Outputs that change with no input, or only in steps.
bool isFlat(llvm::StringRef name) {
  static const llvm::StringSet<> names = {
      "ArgMax", "ArgMin",  "Ceil",  "Constant",    "ConstantOfShape",
      "Equal",  "EyeLike", "Floor", "Greater",     "GreaterOrEqual",
      "IsInf",  "IsNaN",   "Less",  "LessOrEqual", "NonZero",
      "Not",    "Round",   "Shape", "Sign",        "Size"};
  return names.contains(name);
}

class RuleWriter {
public:
  RuleWriter(const pb::NodeProto &node, const Types &types)
      : node(node), types(types), call(node, types) {}

  using Writer = void (RuleWriter::*)();
  /// How the rule of an operator is written; null if there is none.
  static Writer getWriter(llvm::StringRef name);

  GradientRule write() {
    (this->*getWriter(node.op_type()))();
    return std::move(rule);
  }

private:
  [[noreturn]] void refuse(const std::string &why) const {
    throw ImportError("the gradient of " + node.op_type() + " is not known here: " + why,
                      node.name());
  }

  /// The gradient of input `input` is this value.
  void give(int input, const std::string &value) {
    add("g{} = Identity ({})", input, value);
    rule.inputs.push_back(input);
  }
  /// ... summed over the dims along which the input was repeated to the shape of the output; the
  /// last `own` dims of the value are the input's.
  void giveSummed(int input, const std::string &value, int own = 0);
  template <typename... T> void add(fmt::format_string<T...> format, T &&...values) {
    rule.nodes += fmt::format(format, std::forward<T>(values)...) + "\n";
  }

  const pb::TensorShapeProto &getShape(const std::string &value) const {
    auto found = types.find(value);
    if (found == types.end() || !found->second.tensor_type().has_shape())
      refuse("the rank of '" + value + "' is not known");
    return found->second.tensor_type().shape();
  }
  int rank(int input) const { return getShape(node.input(input)).dim_size(); }
  bool isReal(int input) const {
    auto found = types.find(node.input(input));
    int type = found == types.end() ? 0 : found->second.tensor_type().elem_type();
    return type != 0 && isRealType(type);
  }
  /// A permutation that swaps the last two dims.
  std::string swapLast(int rank) const;

  void writeNothing() {}
  void writeUnary();
  void writeCast();
  void writeReshape();
  void writeExpand() { giveSummed(0, "d0"); }
  void writeBinary();
  void writeExtreme();
  void writeWhere();
  void writeMatMul();
  void writeGemm();
  void writeTranspose();
  void writeConcat();
  void writeSplit();
  void writeGather();
  void writeMovement();
  void writeRange();
  void writeOneHot();
  void writeReduction();
  void writeSoftmax();
  void writeNorm();
  void writeLeakyRelu();

  const pb::NodeProto &node;
  const Types &types;
  Call call;
  GradientRule rule;
};

void RuleWriter::giveSummed(int input, const std::string &value, int own) {
  const pb::TensorShapeProto &from = getShape(node.output(0)), &to = getShape(node.input(input));
  std::string axes;
  for (int i = 0, missing = from.dim_size() - to.dim_size(); i < from.dim_size() - own; ++i) {
    bool isNew = i < missing;
    if (!isNew) {
      const auto &wide = from.dim(i), &narrow = to.dim(i - missing);
      bool isNumber = narrow.has_dim_value();
      bool same = isNumber ? wide.has_dim_value() && narrow.dim_value() == wide.dim_value()
                           : narrow.has_dim_param() && wide.has_dim_param() &&
                                 narrow.dim_param() == wide.dim_param();
      if (same || (isNumber && narrow.dim_value() != 1))
        continue;
      if (!isNumber)
        refuse("whether dim " + std::to_string(i - missing) + " of '" + node.input(input) +
               "' is repeated shows only in the step; give its extent with --dim");
    }
    axes += (axes.empty() ? "" : ", ") + std::to_string(i);
  }
  if (axes.empty())
    return give(input, value);
  add("a{0} = Constant <value_ints = [{1}]> ()\nr{0} = ReduceSum <keepdims = 1> ({2}, a{0})\n"
      "e{0} = Shape (i{0})\nw{0} = Reshape (r{0}, e{0})",
      input, axes, value);
  give(input, fmt::format("w{}", input));
}

void RuleWriter::writeUnary() {
  rule.nodes = writeNumber("zero", 0) + writeNumber("half", .5) + writeNumber("one", 1);
  add("{}\np = Mul (d0, f)", getDerivatives().lookup(node.op_type()));
  give(0, "p");
}

void RuleWriter::writeCast() {
  if (!isReal(0))
    return;
  add("p = CastLike (d0, i0)");
  give(0, "p");
}

void RuleWriter::writeReshape() {
  add("extents = Shape (i0)\nwhole = Reshape (d0, extents)");
  give(0, "whole");
}

void RuleWriter::writeBinary() {
  const std::string &name = node.op_type();
  if (name == "Add" || name == "Sub" || name == "Sum") {
    for (int i = 0; i < node.input_size(); ++i) {
      bool isTaken = name == "Sub" && i == 1;
      if (isTaken)
        add("n = Neg (d0)");
      giveSummed(i, isTaken ? "n" : "d0");
    }
  } else if (name == "Mul") {
    add("p0 = Mul (d0, i1)\np1 = Mul (d0, i0)");
    giveSummed(0, "p0");
    giveSummed(1, "p1");
  } else if (name == "Div") {
    add("p0 = Div (d0, i1)\nq = Mul (p0, o0)\np1 = Neg (q)");
    giveSummed(0, "p0");
    giveSummed(1, "p1");
  } else { // Pow: b a^(b - 1), which is 0 where b is, and log(a) a^b, which is 0 where a is
    rule.nodes += writeNumber("one", 1) + writeNumber("zero", 0);
    add("b = CastLike (i1, i0)\nless = Sub (b, one)\npower = Pow (i0, less)\ng = Mul (b, power)\n"
        "still = Equal (b, zero)\nf = Where (still, zero, g)\np0 = Mul (d0, f)");
    giveSummed(0, "p0");
    if (isReal(1)) {
      add("positive = Greater (i0, zero)\nsafe = Where (positive, i0, one)\nlog = Log (safe)\n"
          "h = Mul (log, o0)\nk = Where (positive, h, zero)\nm = Mul (d0, k)\np1 = CastLike (m, "
          "i1)");
      giveSummed(1, "p1");
    }
  }
}

/// Max and Min of two: the larger takes all; equal ones share.
void RuleWriter::writeExtreme() {
  if (node.input_size() == 1)
    return give(0, "d0");
  if (node.input_size() != 2)
    refuse("it has " + std::to_string(node.input_size()) + " inputs, expected at most 2");
  rule.nodes += writeNumber("one", 1) + writeNumber("half", .5) + writeNumber("zero", 0);
  const char *wins = node.op_type() == "Max" ? "Greater" : "Less";
  add("equal = Equal (i0, i1)\nwins = {} (i0, i1)\nsingle = Where (wins, one, zero)\n"
      "f0 = Where (equal, half, single)\nf1 = Sub (one, f0)\np0 = Mul (d0, f0)\np1 = Mul (d0, f1)",
      wins);
  giveSummed(0, "p0");
  giveSummed(1, "p1");
}

void RuleWriter::writeWhere() {
  add("zero_ = Constant <value_float = 0.0> ()\nzero = CastLike (zero_, d0)\n"
      "p1 = Where (i0, d0, zero)\np2 = Where (i0, zero, d0)");
  giveSummed(1, "p1");
  giveSummed(2, "p2");
}

std::string RuleWriter::swapLast(int rank) const {
  std::string text;
  for (int i = 0; i < rank; ++i)
    text += fmt::format("{}{}", i ? ", " : "", i < rank - 2 ? i : 2 * rank - 3 - i);
  return text;
}

void RuleWriter::writeMatMul() {
  if (rank(0) < 2 || rank(1) < 2)
    refuse("a factor is a vector, expected matrices");
  add("t0 = Transpose <perm = [{}]> (i0)\nt1 = Transpose <perm = [{}]> (i1)\np0 = MatMul (d0, t1)\n"
      "p1 = MatMul (t0, d0)",
      swapLast(rank(0)), swapLast(rank(1)));
  giveSummed(0, "p0", /*own=*/2);
  giveSummed(1, "p1", /*own=*/2);
}

void RuleWriter::writeGemm() {
  bool transA = call.getInt("transA", 0), transB = call.getInt("transB", 0);
  double alpha = call.find("alpha") ? call.find("alpha")->f() : 1;
  double beta = call.find("beta") ? call.find("beta")->f() : 1;
  std::string scale = printFloat(alpha);
  // Y = op(A) op(B): dA = dY op(B)', dB = op(A)' dY, each transposed as its factor is.
  if (transA)
    add("p0 = Gemm <alpha = {}, transA = {}, transB = 1> (i1, d0)", scale, int(transB));
  else
    add("p0 = Gemm <alpha = {}, transB = {}> (d0, i1)", scale, int(!transB));
  if (transB)
    add("p1 = Gemm <alpha = {}, transA = 1, transB = {}> (d0, i0)", scale, int(transA));
  else
    add("p1 = Gemm <alpha = {}, transA = {}> (i0, d0)", scale, int(!transA));
  give(0, "p0");
  give(1, "p1");
  if (!call.has(2))
    return;
  rule.nodes += writeNumber("beta", beta);
  add("scaled = Mul (d0, beta)");
  giveSummed(2, "scaled");
}

void RuleWriter::writeTranspose() {
  const pb::AttributeProto *given = call.find("perm");
  llvm::SmallVector<int64_t> inverse(rank(0));
  for (int64_t i = 0, size = inverse.size(); i < size; ++i) {
    int64_t from = given && i < given->ints_size() ? given->ints(i) : size - 1 - i;
    if (from < 0 || from >= size)
      refuse("perm is not a permutation of the dims");
    inverse[from] = i;
  }
  add("p = Transpose <perm = [{}]> (d0)", fmt::join(inverse, ", "));
  give(0, "p");
}

void RuleWriter::writeConcat() {
  int64_t axis = call.getInt("axis", 0);
  axis += axis < 0 ? rank(0) : 0;
  std::string sizes, parts;
  for (int i = 0; i < node.input_size(); ++i) {
    add("n{0} = Shape <start = {1}, end = {2}> (i{0})", i, axis, axis + 1);
    sizes += fmt::format("{}n{}", i ? ", " : "", i);
    parts += fmt::format("{}p{}", i ? ", " : "", i);
  }
  add("sizes = Concat <axis = 0> ({})\n{} = Split <axis = {}> (d0, sizes)", sizes, parts, axis);
  for (int i = 0; i < node.input_size(); ++i)
    give(i, fmt::format("p{}", i));
}

void RuleWriter::writeSplit() {
  std::string parts;
  for (int i = 0; i < node.output_size(); ++i)
    parts += fmt::format("{}d{}", i ? ", " : "", i);
  add("p = Concat <axis = {}> ({})", call.getInt("axis", 0), parts);
  give(0, "p");
}

/// start + k delta, of k from 0 on.
void RuleWriter::writeRange() {
  if (!isReal(0))
    return;
  add("p0 = ReduceSum <keepdims = 0> (d0)\ncount = Size (d0)\n"
      "first = Constant <value_int = 0> ()\nstep = Constant <value_int = 1> ()\n"
      "list = Range (first, count, step)\nk = CastLike (list, d0)\nparts = Mul (d0, k)\n"
      "p2 = ReduceSum <keepdims = 0> (parts)");
  give(0, "p0");
  give(2, "p2");
}

/// Values (off, on): the same operator says where which of them is.
void RuleWriter::writeOneHot() {
  if (!isReal(2))
    return;
  add("marks = Constant <value_ints = [0, 1]> ()\nmarked = OneHot {} (i0, i1, marks)\n"
      "hot = Cast <to = 9> (marked)\nnothing = Constant <value_float = 0.0> ()\n"
      "zero = CastLike (nothing, i2)\nlit = Where (hot, d0, zero)\nunlit = Where (hot, zero, d0)\n"
      "line = Constant <value_ints = [1]> ()\non = ReduceSum <keepdims = 0> (lit)\n"
      "off = ReduceSum <keepdims = 0> (unlit)\non_line = Reshape (on, line)\n"
      "off_line = Reshape (off, line)\np = Concat <axis = 0> (off_line, on_line)",
      call.attributesBut({}));
  give(2, "p");
}

/// Rows of a table: what was read several times gets the sum.
void RuleWriter::writeGather() {
  int64_t axis = call.getInt("axis", 0);
  if (axis != 0 && axis != -rank(0))
    return writeMovement();
  add("extents = Shape (i0)\nnothing = ConstantOfShape (extents)\nempty = CastLike (nothing, i0)\n"
      "last = Constant <value_ints = [-1]> ()\nplaces = Unsqueeze (i1, last)\n"
      "wide = Cast <to = 7> (places)\np = ScatterND <reduction = \"add\"> (empty, wide, d0)");
  give(0, "p");
}

/// Operators whose result holds elements of input 0: the same operator says of their numbers
/// which went where.
void RuleWriter::writeMovement() {
  std::string others;
  for (int i = 1; i < node.input_size(); ++i)
    others += call.has(i) ? fmt::format(", i{}", i) : ", ";
  add("extents = Shape (i0)\ncount = Size (i0)\nfirst = Constant <value_int = 0> ()\n"
      "step = Constant <value_int = 1> ()\nlist = Range (first, count, step)\n"
      "numbers = Reshape (list, extents)\nmoved = {} {} (numbers{})\n"
      "line = Constant <value_ints = [-1]> ()\nplaces = Reshape (moved, line)\n"
      "parts = Reshape (d0, line)\nsize = Reshape (count, line)\n"
      "nothing = ConstantOfShape (size)\nempty = CastLike (nothing, i0)\n"
      "sums = ScatterElements <reduction = \"add\"> (empty, places, parts)\n"
      "p = Reshape (sums, extents)",
      node.op_type(), call.attributesBut({}), others);
  give(0, "p");
}

void RuleWriter::writeReduction() {
  const std::string &name = node.op_type();
  bool hasAxes = call.has(1);
  if (!hasAxes && call.getInt("noop_with_empty_axes", 0)) {
    if (name == "ReduceSumSquare")
      refuse("it reduces nothing (noop_with_empty_axes)");
    return give(0, "d0");
  }
  // A result without the reduced dims gets them back; a single number needs none.
  bool opens = hasAxes && !call.getInt("keepdims", 1);
  add("extents = Shape (i0)\n{}\n{}", opens ? "gap = Unsqueeze (d0, i1)" : "gap = Identity (d0)",
      opens ? "best = Unsqueeze (o0, i1)" : "best = Identity (o0)");
  add("spread = Expand (gap, extents)");
  if (name == "ReduceSum")
    return give(0, "spread");
  if (name == "ReduceMean") {
    add("all_ = Size (i0)\nparts_ = Size (o0)\ncount = Div (all_, parts_)\nby = CastLike (count, "
        "i0)\n"
        "p = Div (spread, by)");
  } else if (name == "ReduceSumSquare") {
    rule.nodes += writeNumber("two", 2);
    add("twice = Mul (i0, two)\np = Mul (spread, twice)");
  } else { // ReduceMax, ReduceMin: equal ones share
    add("hit = Equal (i0, best)\nshare = CastLike (hit, i0)\n"
        "number = ReduceSum <keepdims = 1> (share{})\nfactor = Div (share, number)\n"
        "p = Mul (spread, factor)",
        hasAxes ? ", i1" : "");
  }
  give(0, "p");
}

void RuleWriter::writeSoftmax() {
  add("axis = Constant <value_ints = [{}]> ()", call.getInt("axis", -1));
  if (node.op_type() == "Softmax")
    add("s = Mul (d0, o0)\nt = ReduceSum <keepdims = 1> (s, axis)\nu = Sub (d0, t)\n"
        "p = Mul (o0, u)");
  else
    add("e = Exp (o0)\nt = ReduceSum <keepdims = 1> (d0, axis)\nu = Mul (e, t)\np = Sub (d0, u)");
  give(0, "p");
}

/// Of rows n = (x - mean) / deviation and u = dy scale: (u - mean(u) - n mean(u n)) / deviation.
/// RMSNormalization takes no mean off.
void RuleWriter::writeNorm() {
  bool isCentred = node.op_type() == "LayerNormalization";
  if (isCentred && (call.wants(1) || call.wants(2)))
    refuse("its mean or deviation is an output");
  int64_t axis = call.getInt("axis", -1);
  axis += axis < 0 ? rank(0) : 0;
  std::string axes;
  for (int64_t i = axis; i < rank(0); ++i)
    axes += fmt::format("{}{}", i == axis ? "" : ", ", i);
  rule.nodes += writeNumber("epsilon", call.find("epsilon") ? call.find("epsilon")->f() : 1e-5) +
                writeNumber("zero", 0);
  add("axes = Constant <value_ints = [{}]> ()\n{}\nx = Sub (i0, mean)\nsquares = Mul (x, x)\n"
      "variance = ReduceMean <keepdims = 1> (squares, axes)\nsafe = Add (variance, epsilon)\n"
      "deviation = Sqrt (safe)\nn = Div (x, deviation)\nu = Mul (d0, i1)\nun = Mul (u, n)\n"
      "m = ReduceMean <keepdims = 1> (un, axes)\nnm = Mul (n, m)\nrest = Sub (u, nm)",
      axes, isCentred ? "mean = ReduceMean <keepdims = 1> (i0, axes)" : "mean = Identity (zero)");
  if (isCentred)
    add("um = ReduceMean <keepdims = 1> (u, axes)\nmore = Sub (rest, um)");
  add("p0 = Div ({}, deviation)\np1 = Mul (d0, n)", isCentred ? "more" : "rest");
  give(0, "p0");
  giveSummed(1, "p1");
  if (call.has(2))
    giveSummed(2, "d0");
}

void RuleWriter::writeLeakyRelu() {
  rule.nodes += writeNumber("one", 1) + writeNumber("zero", 0) +
                writeNumber("alpha", call.find("alpha") ? call.find("alpha")->f() : .01);
  add("positive = Greater (i0, zero)\nf = Where (positive, one, alpha)\np = Mul (d0, f)");
  give(0, "p");
}

RuleWriter::Writer RuleWriter::getWriter(llvm::StringRef name) {
  static const llvm::StringMap<Writer> writers = {{"Add", &RuleWriter::writeBinary},
                                                  {"Cast", &RuleWriter::writeCast},
                                                  {"CastLike", &RuleWriter::writeCast},
                                                  {"Concat", &RuleWriter::writeConcat},
                                                  {"DepthToSpace", &RuleWriter::writeMovement},
                                                  {"Div", &RuleWriter::writeBinary},
                                                  {"Expand", &RuleWriter::writeExpand},
                                                  {"Flatten", &RuleWriter::writeReshape},
                                                  {"Gather", &RuleWriter::writeGather},
                                                  {"GatherElements", &RuleWriter::writeMovement},
                                                  {"GatherND", &RuleWriter::writeMovement},
                                                  {"Gemm", &RuleWriter::writeGemm},
                                                  {"LayerNormalization", &RuleWriter::writeNorm},
                                                  {"LeakyRelu", &RuleWriter::writeLeakyRelu},
                                                  {"LogSoftmax", &RuleWriter::writeSoftmax},
                                                  {"MatMul", &RuleWriter::writeMatMul},
                                                  {"Max", &RuleWriter::writeExtreme},
                                                  {"Min", &RuleWriter::writeExtreme},
                                                  {"Mul", &RuleWriter::writeBinary},
                                                  {"OneHot", &RuleWriter::writeOneHot},
                                                  {"Pow", &RuleWriter::writeBinary},
                                                  {"Range", &RuleWriter::writeRange},
                                                  {"ReduceMax", &RuleWriter::writeReduction},
                                                  {"ReduceMean", &RuleWriter::writeReduction},
                                                  {"ReduceMin", &RuleWriter::writeReduction},
                                                  {"ReduceSum", &RuleWriter::writeReduction},
                                                  {"ReduceSumSquare", &RuleWriter::writeReduction},
                                                  {"RMSNormalization", &RuleWriter::writeNorm},
                                                  {"Reshape", &RuleWriter::writeReshape},
                                                  {"Softmax", &RuleWriter::writeSoftmax},
                                                  {"SpaceToDepth", &RuleWriter::writeMovement},
                                                  {"Slice", &RuleWriter::writeMovement},
                                                  {"Split", &RuleWriter::writeSplit},
                                                  {"Squeeze", &RuleWriter::writeReshape},
                                                  {"Sub", &RuleWriter::writeBinary},
                                                  {"Sum", &RuleWriter::writeBinary},
                                                  {"Tile", &RuleWriter::writeMovement},
                                                  {"Transpose", &RuleWriter::writeTranspose},
                                                  {"Unsqueeze", &RuleWriter::writeReshape},
                                                  {"Where", &RuleWriter::writeWhere}};
  if (isFlat(name))
    return &RuleWriter::writeNothing;
  return getDerivatives().count(name) ? &RuleWriter::writeUnary : writers.lookup(name);
}

} // namespace

bool dougong::importer::isRealType(int elementType) {
  switch (elementType) {
  case pb::TensorProto::UNDEFINED:
  case pb::TensorProto::FLOAT:
  case pb::TensorProto::DOUBLE:
  case pb::TensorProto::FLOAT16:
  case pb::TensorProto::BFLOAT16:
    return true;
  default:
    return false;
  }
}

bool dougong::importer::hasGradientRule(const pb::NodeProto &node) {
  return node.domain().empty() && RuleWriter::getWriter(node.op_type());
}

std::optional<GradientRule> dougong::importer::getGradientRule(const pb::NodeProto &node,
                                                               const Types &types) {
  if (!hasGradientRule(node))
    return std::nullopt;
  return RuleWriter(node, types).write();
}
