//===- Einsum.cpp - Einsum ------------------------------------------------===//
#include "Patterns.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <map>

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// The labels of the dims of each operand and of the result. Dims under an
/// ellipsis have labels of their own, counted from the last one.
struct Equation {
  SmallVector<SmallVector<int>> operands;
  SmallVector<int> result;

  /// Fails if the terms do not fit the ranks. ONNX's checker has seen the text.
  static std::optional<Equation> parse(StringRef text, ArrayRef<int64_t> ranks);
};

/// The labels of one term; `rank` < 0 for the result, whose ellipsis has
/// `ellipsis` dims.
std::optional<SmallVector<int>> parseTerm(StringRef term, int64_t rank, int64_t &ellipsis) {
  constexpr int ellipsisLabel = 256;
  int64_t letters = llvm::count_if(term, [](char c) { return llvm::isAlpha(c); });
  if (term.contains("...") && rank >= 0)
    ellipsis = std::max(ellipsis, rank - letters);
  int64_t hidden = rank >= 0 ? rank - letters : ellipsis;
  if (hidden < 0 || (hidden > 0 && !term.contains("...")))
    return std::nullopt;
  SmallVector<int> labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (llvm::isAlpha(term[i])) {
      labels.push_back(term[i]);
    } else if (term.substr(i).starts_with("...")) {
      for (int64_t dim = hidden; dim-- > 0;)
        labels.push_back(ellipsisLabel + static_cast<int>(dim));
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  return labels;
}

std::optional<Equation> Equation::parse(StringRef text, ArrayRef<int64_t> ranks) {
  std::string compact;
  llvm::copy_if(text, std::back_inserter(compact), [](char c) { return c != ' '; });
  auto [left, right] = StringRef(compact).split("->");
  bool isExplicit = StringRef(compact).contains("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  if (terms.size() != ranks.size())
    return std::nullopt;
  Equation equation;
  int64_t ellipsis = 0;
  std::map<int, unsigned> uses;
  for (auto [term, rank] : llvm::zip_equal(terms, ranks)) {
    auto labels = parseTerm(term, rank, ellipsis);
    if (!labels)
      return std::nullopt;
    for (int label : *labels)
      ++uses[label];
    equation.operands.push_back(std::move(*labels));
  }
  if (isExplicit) {
    auto labels = parseTerm(right, -1, ellipsis);
    if (!labels)
      return std::nullopt;
    equation.result = std::move(*labels);
    return equation;
  }
  // Without a result term: the ellipsis, then what occurs once, by letter.
  if (ellipsis > 0)
    equation.result = *parseTerm("...", -1, ellipsis);
  for (auto [label, count] : uses)
    if (label < 256 && count == 1)
      equation.result.push_back(label);
  return equation;
}

Lowered lowerEinsum(EinsumOp op, EinsumOp::Adaptor in, Emitter &e) {
  SmallVector<int64_t> ranks;
  for (Value operand : in.getInputs())
    ranks.push_back(typeOf(operand).getRank());
  auto equation = Equation::parse(op.getEquation(), ranks);
  if (!equation)
    return Lowered::refuse("equation '" + op.getEquation() + "' does not fit the operands");
  // One loop for each label: those of the result first.
  std::map<int, unsigned> loops;
  for (int label : equation->result)
    loops.try_emplace(label, loops.size());
  unsigned kept = loops.size();
  for (ArrayRef<int> labels : equation->operands)
    for (int label : labels)
      loops.try_emplace(label, loops.size());
  if (kept != equation->result.size())
    return Lowered::refuse("a label that occurs twice in the result is not supported");

  SmallVector<Operand> operands;
  SmallVector<bool> areUnsigned;
  for (auto [labels, original, tensor] :
       llvm::zip_equal(equation->operands, op.getInputs(), in.getInputs())) {
    SmallVector<AffineExpr> exprs;
    for (auto [dim, label] : llvm::enumerate(labels)) {
      // A single element is repeated where others have more.
      bool isSingle = typeOf(tensor).getDimSize(dim) == 1;
      bool repeats =
          isSingle && llvm::any_of(llvm::zip(equation->operands, in.getInputs()), [&](auto pair) {
            auto [others, other] = pair;
            for (auto [d, l] : llvm::enumerate(others))
              if (l == label && typeOf(other).getDimSize(d) != 1)
                return true;
            return false;
          });
      exprs.push_back(repeats ? e.zero() : e.loop(loops[label]));
    }
    operands.push_back({tensor, e.map(loops.size(), exprs)});
    areUnsigned.push_back(isUnsigned(original));
  }
  RankedTensorType type = resultType(op);
  Type element = resultElement(op), compute = getComputeType(element);
  Extents shape = e.extents(type);
  SmallVector<unsigned> reductions = llvm::to_vector(llvm::seq<unsigned>(kept, loops.size()));
  Value init = e.filled(shape, e.constant(compute, 0));
  Value result =
      e.generic(loops.size(), operands, Operand{init, e.keptMap(loops.size(), reductions)},
                reductions, [&](Emitter &e, ValueRange args) {
                  Value product;
                  for (auto [index, value] : llvm::enumerate(args.drop_back())) {
                    Value x = e.convert(value, compute, areUnsigned[index], false);
                    product = product ? e.mul(product, x) : x;
                  }
                  return e.add(args.back(), product);
                });
  return e.convertTensor(result, element);
}

} // namespace

void dougong::onnx::populateEinsumPatterns(PatternSet &set) { set.add<EinsumOp>(lowerEinsum); }
