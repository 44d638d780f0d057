//===- Experts.cpp - mixtures of experts -----------------------------------===//
//
// A loop over experts: each takes the rows that the router sends to it, computes
// them in blocks of a static number of rows (the rest one by one), and adds them
// to the result with their weights. No temporary's extent depends on data.
//
//===----------------------------------------------------------------------===//
#include "PackedWeights.h"
#include "Softmax.h"
#include "TopK.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

using Compare = Emitter::Compare;

namespace {

/// Part `index` of dim 0, without that dim.
Value takeExpert(Emitter &e, Value tensor, Value index) {
  RankedTensorType type = typeOf(tensor);
  unsigned rank = type.getRank();
  Extents sizes = e.extentsOf(tensor), offsets(rank, e.attr(0)), strides(rank, e.attr(1));
  offsets[0] = index;
  sizes[0] = e.attr(1);
  auto part = RankedTensorType::get(type.getShape().drop_front(), type.getElementType());
  return tensor::ExtractSliceOp::create(e, part, tensor, offsets, sizes, strides);
}

struct Layer {
  /// rows W' in f32, of extents `shape`, where W is [out, in] of an expert.
  std::function<Value(Emitter &e, Value expert, Value rows, ArrayRef<OpFoldResult> shape)> multiply;
  Value bias; ///< [experts, out], or null
  int64_t out = 0;
};

struct Mixture {
  Value rows; ///< [tokens, hidden]
  OpFoldResult tokens, hidden;
  int64_t experts = 0, k = 0;
  Value chosen; ///< [tokens, k]: experts (i64); null: each that has a share
  Value shares; ///< [tokens, k]: weights of these (f32); or of all, [tokens, experts]
  Layer first, second, third;
  StringRef activation;
  int64_t fusion = 0; ///< of swiglu: 0 two layers, 1 pairs of columns, 2 side by side
  double alpha = 1, beta = 0;
  std::optional<double> limit;
  bool limitsActive = false; ///< the limit is of the activated gate, not of the gate
  bool isGated() const { return activation == "swiglu" || activation == "geglu"; }
};

/// rows W' + bias of one expert.
Value applyLayer(Emitter &e, const Layer &layer, Value rows, int64_t count, Value expert) {
  Extents shape{e.attr(count), e.attr(layer.out)};
  Value product = layer.multiply(e, expert, rows, shape);
  if (!layer.bias)
    return product;
  Value bias = takeExpert(e, layer.bias, expert);
  return e.pointwise(shape, e.getF32Type(), {{product, e.identity(2)}, {bias, e.mapOf(2, {1})}},
                     [](Emitter &e, ValueRange args) {
                       return e.add(args[0], e.toFloatType(args[1], e.getF32Type()));
                     });
}

Value activate(Emitter &e, StringRef name, Value x) {
  Type type = x.getType();
  auto number = [&](double value) { return e.constant(type, value); };
  if (name == "relu")
    return e.max(x, number(0));
  if (name == "silu")
    return e.mul(x, e.sigmoid(x));
  if (name == "relu2") {
    Value y = e.max(x, number(0));
    return e.mul(y, y);
  }
  if (name == "gelu") { // the form by tanh, as onnxruntime has it here
    Value cube = e.mul(e.mul(x, x), x);
    Value inner = e.mul(number(0.7978845608028654), e.add(x, e.mul(number(0.044715), cube)));
    Value curve = e.add(number(1), math::TanhOp::create(e, inner));
    return e.mul(e.mul(number(0.5), x), curve);
  }
  return x; // identity
}

/// The activation of the first layer's rows, with the third layer's if any.
Value activateRows(Emitter &e, const Mixture &m, Value rows, Value third, int64_t count) {
  Type f32 = e.getF32Type();
  AffineMap same = e.identity(2);
  if (!m.isGated()) {
    SmallVector<Operand> inputs{{rows, same}};
    if (third)
      inputs.push_back({third, same});
    return e.pointwise({e.attr(count), e.attr(m.first.out)}, f32, inputs,
                       [&](Emitter &e, ValueRange args) {
                         Value y = activate(e, m.activation, args[0]);
                         return third ? e.mul(y, args[1]) : y;
                       });
  }
  // Gate and linear part come from two layers, or from one as pairs of columns or side by side.
  int64_t width = m.fusion ? m.first.out / 2 : m.first.out;
  auto half = [&](int64_t index) -> Value {
    if (!m.fusion)
      return index == 0 ? rows : third;
    if (m.fusion == 2)
      return e.slice(rows, 1, e.attr(index * width), e.attr(width));
    Value pairs = e.splitDim(rows, 1, {e.attr(width), e.attr(2)});
    Extents sizes{e.attr(count), e.attr(width), e.attr(1)};
    Extents offsets{e.attr(0), e.attr(0), e.attr(index)}, strides(3, e.attr(1));
    auto type = RankedTensorType::get({count, width}, f32);
    return tensor::ExtractSliceOp::create(e, type, pairs, offsets, sizes, strides);
  };
  return e.pointwise({e.attr(count), e.attr(width)}, f32, {{half(0), same}, {half(1), same}},
                     [&](Emitter &e, ValueRange args) {
                       Value gate = args[0], linear = args[1];
                       if (m.activation == "geglu")
                         return e.mul(activate(e, "gelu", gate), linear);
                       Value limit = m.limit ? e.constant(f32, *m.limit) : Value();
                       if (limit) {
                         gate = m.limitsActive ? gate : e.min(gate, limit);
                         linear = e.max(e.min(linear, limit), e.constant(f32, -*m.limit));
                       }
                       Value active = e.mul(gate, e.sigmoid(e.mul(e.constant(f32, m.alpha), gate)));
                       if (limit && m.limitsActive)
                         active = e.min(active, limit);
                       return e.mul(active, e.add(linear, e.constant(f32, m.beta)));
                     });
}

/// The rows that expert `expert` gets: their numbers (i64 [tokens], of which
/// the first `count` count), shares and count.
SmallVector<Value> listRows(Emitter &e, const Mixture &m, Value expert) {
  Type i64 = e.getI64Type(), f32 = e.getF32Type();
  SmallVector<Value> inits{e.empty({m.tokens}, i64), e.empty({m.tokens}, f32), e.index(int64_t{0})};
  return e.repeat(m.tokens, inits, [&](Emitter &e, Value row, ValueRange carried) {
    Value share = e.constant(f32, 0), found = e.constantInt(e.getI1Type(), 0);
    if (!m.chosen) {
      Value at[] = {row, expert};
      share = e.toFloatType(e.extract(m.shares, at), f32);
      found = e.logicalNot(e.compare(Compare::Equal, share, e.constant(f32, 0)));
    }
    for (int64_t slot = 0; m.chosen && slot < m.k; ++slot) {
      Value at[] = {row, e.index(slot)};
      Value here = e.compare(Compare::Equal, e.toIndex(e.extract(m.chosen, at)), expert);
      share = e.select(here, e.extract(m.shares, at), share);
      found = arith::OrIOp::create(e, found, here);
    }
    // A place past the list's end is written too: the next row takes it.
    Value count = carried[2];
    Value number = arith::IndexCastOp::create(e, i64, row);
    Value next = e.add(count, e.select(found, e.index(int64_t{1}), e.index(int64_t{0})));
    return SmallVector<Value>{tensor::InsertOp::create(e, number, carried[0], count),
                              tensor::InsertOp::create(e, share, carried[1], count), next};
  });
}

/// One expert at work on some of its rows.
struct Expert {
  Value number;
  Value rows, shares; ///< [tokens]: its rows and their weights
};

/// Adds rows [from, from + count) of an expert's list to `sums`.
Value addRows(Emitter &e, const Mixture &m, const Expert &expert, Value from, int64_t count,
              Value sums) {
  Type f32 = e.getF32Type();
  AffineMap same = e.identity(2);
  Value rows = e.pointwise({e.attr(count), m.hidden}, f32, {}, [&](Emitter &e, ValueRange) {
    Value row = e.toIndex(e.extract(expert.rows, e.add(from, e.loopIndex(0))));
    Value at[] = {row, e.loopIndex(1)};
    return e.toFloatType(e.extract(m.rows, at), f32);
  });
  Value hidden = applyLayer(e, m.first, rows, count, expert.number), third;
  if (m.third.out)
    third = applyLayer(e, m.third, rows, count, expert.number);
  Value active = activateRows(e, m, hidden, third, count);
  Value output = applyLayer(e, m.second, active, count, expert.number);
  return e
      .repeat(e.attr(count), sums,
              [&](Emitter &e, Value r, ValueRange carried) {
                Value place = e.add(from, r);
                Value row = e.toIndex(e.extract(expert.rows, place));
                Value share = e.extract(expert.shares, place);
                Value before = e.slice(carried[0], 0, row, e.attr(1));
                Value part = e.slice(output, 0, r, e.attr(1));
                Value after = e.generic(2, {{part, same}}, Operand{before, same}, {},
                                        [&](Emitter &e, ValueRange args) {
                                          return e.add(args[1], e.mul(share, args[0]));
                                        });
                Extents offsets{OpFoldResult(row), e.attr(0)}, sizes{e.attr(1), m.hidden};
                Extents strides(2, e.attr(1));
                Value whole =
                    tensor::InsertSliceOp::create(e, after, carried[0], offsets, sizes, strides);
                return SmallVector<Value>{whole};
              })
      .front();
}

/// Rows that an expert computes together: enough to use its weights well.
constexpr int64_t blockRows = 16;

Value computeMixture(Emitter &e, const Mixture &m) {
  Value zeros = e.filled({m.tokens, m.hidden}, e.constant(e.getF32Type(), 0));
  auto tokens = getConstantIntValue(m.tokens);
  bool hasBlocks = !tokens || *tokens >= blockRows;
  auto result = e.repeat(e.attr(m.experts), zeros, [&](Emitter &e, Value number, ValueRange sums) {
    auto list = listRows(e, m, number);
    Value count = list[2];
    // An expert without rows touches no weights.
    Value any = e.min(count, e.index(int64_t{1}));
    return e.repeat(OpFoldResult(any), sums, [&](Emitter &e, Value, ValueRange carried) {
      Expert expert{number, list[0], list[1]};
      Value sum = carried[0], done = e.index(int64_t{0});
      if (hasBlocks) {
        Value size = e.index(blockRows);
        Value blocks = arith::DivUIOp::create(e, count, size);
        sum = e.repeat(OpFoldResult(blocks), sum, [&](Emitter &e, Value block, ValueRange carried) {
                 Value from = e.mul(block, size);
                 return SmallVector<Value>{addRows(e, m, expert, from, blockRows, carried[0])};
               }).front();
        done = e.mul(blocks, size);
      }
      return e.repeat(
          OpFoldResult(e.sub(count, done)), sum, [&](Emitter &e, Value r, ValueRange carried) {
            return SmallVector<Value>{addRows(e, m, expert, e.add(done, r), 1, carried[0])};
          });
    });
  });
  return result.front();
}

/// exp(x - max) / sum over the `k` of each row of `logits`.
Value shareOut(Emitter &e, Value logits, ArrayRef<OpFoldResult> shape) {
  return computeSoftmax(e, logits, shape, 1, e.getF32Type());
}

/// The rows of the input, flat.
template <typename OpT> void readRows(OpT op, typename OpT::Adaptor in, Emitter &e, Mixture &m) {
  auto input = cast<RankedTensorType>(op.getInput().getType());
  m.rows = in.getInput();
  m.hidden = e.extent(input, input.getRank() - 1);
  m.tokens = e.extent(input, 0);
  if (input.getRank() == 3) {
    m.tokens = e.mulSizes(m.tokens, e.extent(input, 1));
    m.rows = e.joinDims(m.rows, 0, 1);
  }
}

/// What the experts do between their layers. Returns a refusal or "".
template <typename OpT> std::string readActivation(OpT op, bool hasThird, Mixture &m) {
  m.activation = op.getActivationType();
  static constexpr StringRef known[] = {"relu",     "relu2",  "gelu", "silu",
                                        "identity", "swiglu", "geglu"};
  if (!llvm::is_contained(known, m.activation))
    return ("activation_type " + m.activation + " is not supported").str();
  if (m.isGated()) {
    m.fusion = op.getSwigluFusion();
    bool isFused = m.fusion == 1 || m.fusion == 2;
    if (isFused == hasThird || m.fusion < 0 || m.fusion > 2 ||
        (!isFused && m.activation == "geglu"))
      return (m.activation + " with swiglu_fusion " + Twine(m.fusion) + " and with" +
              (hasThird ? "" : "out") + " fc3 is not supported")
          .str();
  }
  m.alpha = op.getActivationAlpha().convertToFloat();
  m.beta = op.getActivationBeta().convertToFloat();
  if (auto limit = op.getSwigluLimit())
    m.limit = limit->convertToFloat();
  m.limitsActive = op.getSwigluLimitAfterActivation() != 0;
  return "";
}

/// The attributes and operands that MoE and QMoE share. Returns a refusal or "".
template <typename OpT>
std::string readMixture(OpT op, typename OpT::Adaptor in, Emitter &e, Mixture &m) {
  auto input = cast<RankedTensorType>(op.getInput().getType());
  auto router = cast<RankedTensorType>(op.getRouterProbs().getType());
  if (input.getRank() < 2 || input.getRank() > 3 || router.getRank() != 2)
    return "expected an input of rank 2 or 3 and a router of rank 2";
  readRows(op, in, e, m);
  m.k = op.getK();
  m.experts = router.getDimSize(1);
  if (ShapedType::isDynamic(m.experts) || m.k < 1 || m.k > m.experts)
    return ("k is " + Twine(m.k) + ", but the number of experts is " + Twine(m.experts)).str();
  if (op.getUseSparseMixer())
    return "use_sparse_mixer is not supported";
  return readActivation(op, present(in.getFc3ExpertsWeights()), m);
}

Value finishMixture(Operation *op, Emitter &e, const Mixture &m) {
  Value result = e.convertTensor(computeMixture(e, m), resultElement(op));
  RankedTensorType type = resultType(op);
  return type.getRank() == 2 ? result
                             : e.splitDim(result, 0, {e.extent(type, 0), e.extent(type, 1)});
}

/// A layer of weights that are floats.
Layer floatLayer(Value weights, Value bias) {
  Layer result;
  if (!present(weights))
    return result;
  result.out = typeOf(weights).getDimSize(1);
  result.multiply = [weights](Emitter &e, Value expert, Value rows, ArrayRef<OpFoldResult> shape) {
    Value init = e.filled(shape, e.constant(e.getF32Type(), 0));
    return e.contract(3, {rows, e.mapOf(3, {0, 2})},
                      {takeExpert(e, weights, expert), e.mapOf(3, {1, 2})},
                      {init, e.mapOf(3, {0, 1})}, {2});
  };
  result.bias = present(bias) ? bias : Value();
  return result;
}

/// Whether layers of floats fit together and to rows of `hiddenSize`.
bool fitsTogether(const Mixture &m, Value first, Value second, int64_t hiddenSize) {
  int64_t inner = m.fusion ? m.first.out / 2 : m.first.out;
  return typeOf(first).getShape().back() == hiddenSize &&
         typeOf(second).getShape().back() == inner && m.second.out == hiddenSize;
}

constexpr StringLiteral wrongWeights = "expected weights [experts, out, in]";

Lowered lowerMoE(MsMoEOp op, MsMoEOp::Adaptor in, Emitter &e) {
  Mixture m;
  if (std::string refusal = readMixture(op, in, e, m); !refusal.empty())
    return Lowered::refuse(refusal);
  Type f32 = e.getF32Type();
  m.first = floatLayer(in.getFc1ExpertsWeights(), in.getFc1ExpertsBias());
  m.second = floatLayer(in.getFc2ExpertsWeights(), in.getFc2ExpertsBias());
  m.third = floatLayer(in.getFc3ExpertsWeights(), in.getFc3ExpertsBias());
  if (!fitsTogether(m, in.getFc1ExpertsWeights(), in.getFc2ExpertsWeights(),
                    typeOf(in.getInput()).getShape().back()))
    return Lowered::refuse(wrongWeights);
  // The router's softmax is over all experts; its greatest parts are taken.
  Extents all{m.tokens, e.attr(m.experts)}, top{m.tokens, e.attr(m.k)};
  Value logits = e.convertTensor(in.getRouterProbs(), f32);
  auto [values, chosen] = selectTop(e, logits, all, 1, e.attr(m.k), {true, false, true});
  m.chosen = chosen;
  if (op.getNormalizeRoutingWeights()) {
    m.shares = shareOut(e, values, top);
  } else {
    SoftmaxParts parts = computeSoftmaxParts(e, logits, all, 1);
    AffineMap row = e.mapOf(2, {0});
    m.shares =
        e.pointwise(top, f32, {{values, e.identity(2)}, {parts.maxima, row}, {parts.sums, row}},
                    [](Emitter &e, ValueRange args) {
                      Value part = math::ExpOp::create(e, e.sub(args[0], args[1]));
                      return e.div(part, args[2]);
                    });
  }
  return finishMixture(op, e, m);
}

/// A layer of packed weights; `out` is 0 and `refusal` set if it is not supported.
Layer packedLayer(Value packed, Value scales, Value zeros, Value bias, unsigned bits, int64_t block,
                  std::string &refusal) {
  Layer result;
  if (!present(packed))
    return result;
  RankedTensorType type = typeOf(packed);
  int64_t perByte = 8 / bits, n = type.getDimSize(1), k = type.getDimSize(2) * perByte;
  int64_t size = block > 0 ? block : k;
  if (!type.hasStaticShape() || k % size || size % perByte || !present(scales)) {
    refusal = "weights of dynamic extents, without scales, or of a row that is no whole number of "
              "blocks are not supported";
    return result;
  }
  result.out = n;
  result.bias = present(bias) ? bias : Value();
  bool hasZeros = present(zeros);
  result.multiply = [=](Emitter &e, Value expert, Value rows, ArrayRef<OpFoldResult> shape) {
    int64_t blocks = k / size;
    PackedWeights w;
    w.n = n;
    w.k = k;
    w.blockSize = size;
    w.bits = bits;
    Value bytes = takeExpert(e, packed, expert);
    w.bytes = e.splitDim(bytes, 1, {e.attr(blocks), e.attr(size / perByte)});
    w.scales = takeExpert(e, scales, expert);
    if (typeOf(w.scales).getRank() == 1)
      w.scales = e.splitDim(w.scales, 0, {e.attr(n), e.attr(blocks)});
    if (hasZeros) {
      w.zeroPoints = takeExpert(e, zeros, expert);
      if (typeOf(w.zeroPoints).getRank() == 1) {
        // One a row, packed along the rows.
        Extents flat{e.attr(1), e.attr(n)};
        Value numbers = unpackNumbers(e, w.zeroPoints, flat, llvm::divideCeil(n, perByte), bits);
        w.zeroPoints = e.splitDim(e.joinDims(numbers, 0, 1), 0, {e.attr(n), e.attr(1)});
      }
    }
    return multiplyPacked(e, w, rows, shape);
  };
  return result;
}

Lowered lowerQMoE(MsQMoEOp op, MsQMoEOp::Adaptor in, Emitter &e) {
  Mixture m;
  if (std::string refusal = readMixture(op, in, e, m); !refusal.empty())
    return Lowered::refuse(refusal);
  uint64_t bits = op.getExpertWeightBits();
  uint64_t firstBits = op.getFc1ExpertWeightBits().value_or(bits);
  uint64_t secondBits = op.getFc2ExpertWeightBits().value_or(bits);
  uint64_t thirdBits = op.getFc3ExpertWeightBits().value_or(bits);
  for (uint64_t width : {firstBits, secondBits, thirdBits})
    if ((width != 2 && width != 4 && width != 8) || op.getQuantType() != "int")
      return Lowered::refuse("weights of " + Twine(static_cast<int64_t>(width)) +
                             " bits of quant_type " + op.getQuantType() +
                             " are not supported: expected 2, 4 or 8 bits of quant_type int");
  if (static_cast<int64_t>(op.getWeightsPrepacked()) > 0)
    return Lowered::refuse("weights in the layout of another library (weights_prepacked) are not "
                           "supported");
  std::string refusal;
  int64_t block = op.getBlockSize();
  m.first = packedLayer(in.getFc1ExpertsWeights(), in.getFc1Scales(), in.getFc1ZeroPoints(),
                        in.getFc1ExpertsBias(), firstBits, block, refusal);
  m.second = packedLayer(in.getFc2ExpertsWeights(), in.getFc2Scales(), in.getFc2ZeroPoints(),
                         in.getFc2ExpertsBias(), secondBits, block, refusal);
  m.third = packedLayer(in.getFc3ExpertsWeights(), in.getFc3Scales(), in.getFc3ZeroPoints(),
                        in.getFc3ExpertsBias(), thirdBits, block, refusal);
  if (!refusal.empty())
    return Lowered::refuse(refusal);
  Type f32 = e.getF32Type();
  Extents all{m.tokens, e.attr(m.experts)}, top{m.tokens, e.attr(m.k)};
  Value logits = e.convertTensor(in.getRouterProbs(), f32);
  auto [values, chosen] = selectTop(e, logits, all, 1, e.attr(m.k), {true, false, true});
  m.chosen = chosen;
  if (!present(in.getRouterWeights())) {
    // The softmax is over the chosen experts, normalised or not.
    m.shares = shareOut(e, values, top);
    return finishMixture(op, e, m);
  }
  Value given = in.getRouterWeights(), picked = chosen;
  AffineMap same = e.identity(2);
  m.shares = e.pointwise(top, f32, {{picked, same}}, [&](Emitter &e, ValueRange args) {
    Value at[] = {e.loopIndex(0), e.wrapIndex(args[0], e.attr(m.experts))};
    return e.toFloatType(e.extract(given, at), f32);
  });
  if (op.getNormalizeRoutingWeights()) {
    Value sums = e.reduce(m.shares, top, {1}, e.constant(f32, 0),
                          [](Emitter &e, ValueRange args) { return e.add(args[1], args[0]); });
    m.shares = e.pointwise(top, f32, {{m.shares, same}, {sums, e.mapOf(2, {0})}},
                           [&](Emitter &e, ValueRange args) {
                             Value zero = e.constant(f32, 0);
                             Value none = e.compare(Compare::Equal, args[1], zero);
                             return e.select(none, zero, e.div(args[0], args[1]));
                           });
  }
  return finishMixture(op, e, m);
}

Lowered lowerExperts(PartExpertsOp op, PartExpertsOp::Adaptor in, Emitter &e) {
  Mixture m;
  auto input = cast<RankedTensorType>(op.getInput().getType());
  auto shares = cast<RankedTensorType>(op.getShares().getType());
  auto weights = cast<RankedTensorType>(op.getFc1Weights().getType());
  if (input.getRank() < 2 || input.getRank() > 3 || shares.getRank() != input.getRank())
    return Lowered::refuse("expected an input of rank 2 or 3 and shares of the same rank");
  m.experts = shares.getShape().back();
  if (ShapedType::isDynamic(m.experts) || weights.getRank() != 3 ||
      weights.getDimSize(0) != m.experts)
    return Lowered::refuse("expected a share for each expert: shares are " +
                           Twine(shares.getShape().back()) + ", weights those of " +
                           Twine(weights.getDimSize(0)) + " experts");
  readRows(op, in, e, m);
  m.shares = in.getShares();
  if (shares.getRank() == 3)
    m.shares = e.joinDims(m.shares, 0, 1);
  if (std::string refusal = readActivation(op, present(in.getFc3Weights()), m); !refusal.empty())
    return Lowered::refuse(refusal);
  std::string refusal;
  auto layer = [&](Value weights, Value scales, Value zeros, Value bias, int64_t bits) {
    return bits == 0 ? floatLayer(weights, bias)
                     : packedLayer(weights, scales, zeros, bias, bits, op.getBlockSize(), refusal);
  };
  m.first = layer(in.getFc1Weights(), in.getFc1Scales(), in.getFc1ZeroPoints(), in.getFc1Bias(),
                  op.getFc1Bits());
  m.second = layer(in.getFc2Weights(), in.getFc2Scales(), in.getFc2ZeroPoints(), in.getFc2Bias(),
                   op.getFc2Bits());
  m.third = layer(in.getFc3Weights(), in.getFc3Scales(), in.getFc3ZeroPoints(), in.getFc3Bias(),
                  op.getFc3Bits());
  if (!refusal.empty())
    return Lowered::refuse(refusal);
  if (op.getFc1Bits() == 0 &&
      !fitsTogether(m, in.getFc1Weights(), in.getFc2Weights(), input.getShape().back()))
    return Lowered::refuse(wrongWeights);
  return finishMixture(op, e, m);
}

} // namespace

void dougong::onnx::populateMixturePatterns(PatternSet &set) {
  set.add<MsMoEOp>(lowerMoE);
  set.add<MsQMoEOp>(lowerQMoE);
  set.add<PartExpertsOp>(lowerExperts);
}
