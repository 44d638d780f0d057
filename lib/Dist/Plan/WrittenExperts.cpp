//===- WrittenExperts.cpp - experts written out one by one ----------------===//
#include "WrittenExperts.h"

#include "dougong/Onnx/Values.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

template <typename OpT> OpT getOnlyUser(Value value) {
  return value.hasOneUse() ? dyn_cast<OpT>(*value.user_begin()) : OpT();
}

/// The operand of a binary op beside `value`.
Value getOther(Operation *op, Value value) { return op->getOperand(op->getOperand(0) == value); }

/// The number in a constant of one integer.
std::optional<int64_t> getNumber(Value value) {
  auto constant = value.getDefiningOp<onnx::ConstantOp>();
  auto elements =
      constant ? constant->getAttrOfType<DenseIntElementsAttr>("value") : DenseIntElementsAttr();
  if (!elements || elements.getNumElements() != 1)
    return std::nullopt;
  return (*elements.getValues<APInt>().begin()).getSExtValue();
}

/// Whether the op sums the last dim away, or leaves it with extent 1.
bool sumsLastDim(onnx::ReduceSumOp op) {
  auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  std::optional<int64_t> axis = getNumber(op->getOperand(1));
  return type && axis && onnx::normalizeAxis(*axis, type.getRank()) == type.getRank() - 1;
}

bool matchActivation(Value value, StringRef &name, Value &before) {
  Operation *op = value.getDefiningOp();
  if (auto mul = dyn_cast_if_present<onnx::MulOp>(op))
    for (Value factor : mul->getOperands()) {
      auto sigmoid = factor.getDefiningOp<onnx::SigmoidOp>();
      if (!sigmoid || sigmoid->getOperand(0) != getOther(mul, factor))
        continue;
      name = "silu", before = sigmoid->getOperand(0);
      return true;
    }
  if (auto swish = dyn_cast_if_present<onnx::SwishOp>(op);
      swish && swish.getAlpha().convertToFloat() == 1)
    name = "silu";
  else if (isa_and_present<onnx::ReluOp>(op))
    name = "relu";
  else if (auto gelu = dyn_cast_if_present<onnx::GeluOp>(op);
           gelu && gelu.getApproximate() == "tanh")
    name = "gelu";
  else
    return false;
  before = op->getOperand(0);
  return true;
}

/// `input` times a matrix that is a weight. Sets `input` if it is null.
bool matchProduct(Value value, Value &input, Value &weight) {
  auto product = value.getDefiningOp<onnx::MatMulOp>();
  if (!product || !product->getOperand(1).getDefiningOp<onnx::UseOp>() ||
      cast<RankedTensorType>(product->getOperand(1).getType()).getRank() != 2 ||
      (input && product->getOperand(0) != input))
    return false;
  input = product->getOperand(0);
  weight = product->getOperand(1);
  return true;
}

/// The layers before the last.
bool matchHidden(Value hidden, WrittenExpert &expert) {
  Value before;
  if (matchActivation(hidden, expert.activation, before))
    return matchProduct(before, expert.input, expert.up);
  auto mul = hidden.getDefiningOp<onnx::MulOp>();
  if (!mul)
    return false;
  for (unsigned side : {0u, 1u}) {
    expert.input = {};
    if (matchActivation(mul->getOperand(side), expert.activation, before) &&
        matchProduct(before, expert.input, expert.gate) &&
        matchProduct(mul->getOperand(1 - side), expert.input, expert.up))
      return true;
  }
  return false;
}

std::string matchExpert(onnx::EqualOp equal, Value chosen, WrittenExpert &expert) {
  expert.number = *getNumber(getOther(equal, chosen));
  auto mask = getOnlyUser<onnx::CastOp>(equal);
  auto masked = mask ? getOnlyUser<onnx::MulOp>(mask) : onnx::MulOp();
  auto sum = masked ? getOnlyUser<onnx::ReduceSumOp>(masked) : onnx::ReduceSumOp();
  if (!sum || !sumsLastDim(sum) || getOther(masked, mask).getType() != masked.getType())
    return "what the expert counts is not ReduceSum(parts * Cast(indices == number)) over the "
           "last dim";
  expert.parts = getOther(masked, mask);
  Value share = sum;
  if (auto unsqueeze = getOnlyUser<onnx::UnsqueezeOp>(share))
    share = unsqueeze;
  auto scaled = getOnlyUser<onnx::MulOp>(share);
  auto shareType = dyn_cast<RankedTensorType>(share.getType());
  auto type = scaled ? dyn_cast<RankedTensorType>(scaled.getType()) : RankedTensorType();
  if (!type || !shareType || shareType.getRank() != type.getRank() ||
      shareType.getShape().back() != 1)
    return "what the expert counts is not multiplied with its rows";
  expert.scaled = scaled;
  Value hidden;
  Value rows = getOther(scaled, share);
  if (!rows.hasOneUse() || !matchProduct(rows, hidden, expert.down) || !hidden.hasOneUse() ||
      !matchHidden(hidden, expert))
    return "the expert is not act(x * up) * down or (act(x * gate) * (x * up)) * down of weights "
           "without biases, act one of silu, relu and the gelu by tanh";
  return "";
}

/// The value that sums up exactly these, by Add and Sum; null if there is none.
Value getTotal(ArrayRef<WrittenExpert> experts) {
  llvm::DenseSet<Value> open;
  SmallVector<Value> worklist;
  for (const WrittenExpert &expert : experts) {
    open.insert(expert.scaled);
    worklist.push_back(expert.scaled);
  }
  while (!worklist.empty() && open.size() > 1) {
    Value value = worklist.pop_back_val();
    if (!open.contains(value) || !value.hasOneUse())
      continue;
    Operation *user = *value.user_begin();
    if (!isa<onnx::AddOp, onnx::SumOp>(user) ||
        !llvm::all_of(user->getOperands(), [&](Value part) { return open.contains(part); }))
      continue;
    for (Value part : user->getOperands())
      open.erase(part);
    open.insert(user->getResult(0));
    worklist.push_back(user->getResult(0));
  }
  return open.size() == 1 ? *open.begin() : Value();
}

} // namespace

/// The comparisons of a TopK's indices with a number.
static SmallVector<onnx::EqualOp> getComparisons(Operation *topK) {
  SmallVector<onnx::EqualOp> comparisons;
  Value chosen = topK->getResult(1);
  for (Operation *user : chosen.getUsers())
    if (auto equal = dyn_cast<onnx::EqualOp>(user); equal && getNumber(getOther(equal, chosen)))
      comparisons.push_back(equal);
  return comparisons;
}

bool dist::choosesExperts(Operation *topK) { return !getComparisons(topK).empty(); }

std::string dist::readMixture(Operation *topK, WrittenMixture &mixture, Operation *&fault) {
  fault = topK;
  for (onnx::EqualOp equal : getComparisons(topK)) {
    WrittenExpert expert;
    if (std::string reason = matchExpert(equal, topK->getResult(1), expert); !reason.empty()) {
      fault = equal;
      return reason;
    }
    mixture.experts.push_back(expert);
  }
  llvm::sort(mixture.experts,
             [](const WrittenExpert &a, const WrittenExpert &b) { return a.number < b.number; });
  const WrittenExpert &first = mixture.experts.front();
  auto scores = dyn_cast<RankedTensorType>(topK->getOperand(0).getType());
  auto choice = dyn_cast<RankedTensorType>(topK->getResult(1).getType());
  if (!scores || !choice || choice.isDynamicDim(choice.getRank() - 1) ||
      scores.getShape().back() != static_cast<int64_t>(mixture.experts.size()))
    return "the router has " + std::to_string(scores ? scores.getShape().back() : 0) +
           " scores, but there are " + std::to_string(mixture.experts.size()) + " experts";
  for (auto [number, expert] : llvm::enumerate(mixture.experts)) {
    fault = expert.scaled.getDefiningOp();
    if (expert.number != static_cast<int64_t>(number))
      return "expected expert " + std::to_string(number) + ", got " + std::to_string(expert.number);
    auto getType = [](Value weight) { return weight ? weight.getType() : Type(); };
    if (expert.input != first.input || expert.parts != first.parts ||
        expert.activation != first.activation || getType(expert.gate) != getType(first.gate) ||
        expert.up.getType() != first.up.getType() || expert.down.getType() != first.down.getType())
      return "the expert differs from the first in its input, activation or extents";
  }
  fault = topK;
  mixture.total = getTotal(mixture.experts);
  return mixture.total ? "" : "the results of the experts are not summed up by Add and Sum alone";
}
