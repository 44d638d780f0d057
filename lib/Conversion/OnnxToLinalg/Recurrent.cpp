//===- Recurrent.cpp - GRU, LSTM, RNN --------------------------------------===//
#include "Recurrent.h"

#include "Quantize.h"

using namespace mlir;
using namespace dougong::onnx;

/// `x` limited to [-clip, clip], as the inputs of activations are.
static Value clipped(Emitter &e, const RecurrentProblem &p, Value x) {
  if (!p.clip)
    return x;
  return e.max(e.min(x, e.constant(x.getType(), *p.clip)), e.constant(x.getType(), -*p.clip));
}

SmallVector<Value> dougong::onnx::stepLSTM(Emitter &e, const RecurrentProblem &p, unsigned dir,
                                           Value inputs, ValueRange states) {
  const Activation &f = p.activations[dir * 3], &g = p.activations[dir * 3 + 1],
                   &h = p.activations[dir * 3 + 2];
  Value sums = p.recur(e, dir, states[0], inputs, 0, 4);
  AffineMap same = e.identity(2);
  SmallVector<Operand> operands; // i, o, f, c, cell, peepholes i, o, f
  for (unsigned gate = 0; gate < 4; ++gate)
    operands.push_back({takePart(e, sums, 0, e.attr(gate)), same});
  operands.push_back({states[1], same});
  if (p.peepholes) {
    Value rows = e.splitDim(takePart(e, p.peepholes, 0, e.attr(dir)), 0, {e.attr(3), p.hidden});
    for (unsigned gate = 0; gate < 3; ++gate)
      operands.push_back({takePart(e, rows, 0, e.attr(gate)), e.mapOf(2, {1})});
  }
  return e.pointwiseMulti(
      {p.batch, p.hidden}, {p.compute, p.compute}, operands,
      [&](Emitter &e, ValueRange args) -> SmallVector<Value> {
        Value cell = args[4];
        auto gate = [&](unsigned index, Value seen) {
          Value x = args[index];
          if (p.peepholes)
            x = e.add(x, e.mul(e.toFloatType(args[5 + index], p.compute), seen));
          return f.apply(e, clipped(e, p, x));
        };
        Value in = gate(0, cell);
        Value forget = p.inputForget ? e.sub(e.constant(p.compute, 1), in) : gate(2, cell);
        Value candidate = g.apply(e, clipped(e, p, args[3]));
        Value next = e.add(e.mul(forget, cell), e.mul(in, candidate));
        Value out = gate(1, next);
        return {e.mul(out, h.apply(e, next)), next};
      });
}

namespace {

SmallVector<Value> stepRNN(Emitter &e, const RecurrentProblem &p, unsigned dir, Value inputs,
                           ValueRange states) {
  Value sums = p.recur(e, dir, states[0], inputs, 0, 1);
  Value sum = takePart(e, sums, 0, e.attr(0));
  return {e.pointwise({p.batch, p.hidden}, p.compute, {{sum, e.identity(2)}},
                      [&](Emitter &e, ValueRange args) {
                        return p.activations[dir].apply(e, clipped(e, p, args[0]));
                      })};
}

/// Gates [first, first + count) of `sums`.
Value takeGates(Emitter &e, Value sums, int64_t first, int64_t count) {
  return e.slice(sums, 0, e.attr(first), e.attr(count));
}

SmallVector<Value> stepGRU(Emitter &e, const RecurrentProblem &p, unsigned dir, Value inputs,
                           ValueRange states) {
  const Activation &f = p.activations[dir * 2], &g = p.activations[dir * 2 + 1];
  Value state = states[0];
  AffineMap same = e.identity(2);
  Extents shape{p.batch, p.hidden};
  Value one = e.constant(p.compute, 1);
  auto blend = [&](Emitter &e, Value z, Value candidate, Value before) {
    return e.add(e.mul(e.sub(one, z), candidate), e.mul(z, before));
  };
  Value sums = p.recur(e, dir, state, takeGates(e, inputs, 0, 2), 0, 2);
  Value z = takePart(e, sums, 0, e.attr(0)), r = takePart(e, sums, 0, e.attr(1));
  Value input = takePart(e, inputs, 0, e.attr(2));
  if (p.linearBeforeReset) {
    Value init;
    Extents one{e.attr(1), p.batch, p.hidden};
    if (p.bias) {
      Value both =
          e.splitDim(takePart(e, p.bias, 0, e.attr(dir)), 0, {e.attr(2), e.attr(3), p.hidden});
      Value bias = takePart(e, takePart(e, both, 0, e.attr(1)), 0, e.attr(2));
      init =
          e.pointwise(one, p.compute, {{bias, e.mapOf(3, {2})}}, [&](Emitter &e, ValueRange args) {
            return e.toFloatType(args[0], p.compute);
          });
    } else {
      init = e.filled(one, e.constant(p.compute, 0));
    }
    Value hidden = takePart(e, p.recur(e, dir, state, init, 2, 1), 0, e.attr(0));
    return {e.pointwise(shape, p.compute,
                        {{z, same}, {r, same}, {input, same}, {hidden, same}, {state, same}},
                        [&](Emitter &e, ValueRange args) {
                          Value update = f.apply(e, clipped(e, p, args[0]));
                          Value reset = f.apply(e, clipped(e, p, args[1]));
                          Value sum = e.add(args[2], e.mul(reset, args[3]));
                          return blend(e, update, g.apply(e, clipped(e, p, sum)), args[4]);
                        })};
  }
  Value kept =
      e.pointwise(shape, p.compute, {{r, same}, {state, same}}, [&](Emitter &e, ValueRange args) {
        return e.mul(f.apply(e, clipped(e, p, args[0])), args[1]);
      });
  Value hidden = p.recur(e, dir, kept, takeGates(e, inputs, 2, 1), 2, 1);
  hidden = takePart(e, hidden, 0, e.attr(0));
  return {e.pointwise(shape, p.compute, {{z, same}, {hidden, same}, {state, same}},
                      [&](Emitter &e, ValueRange args) {
                        Value update = f.apply(e, clipped(e, p, args[0]));
                        return blend(e, update, g.apply(e, clipped(e, p, args[1])), args[2]);
                      })};
}

Value orNull(Value value) { return present(value) ? value : Value(); }

/// What the operators of all kinds have in common.
template <typename OpT>
RecurrentProblem describe(OpT op, typename OpT::Adaptor in, Emitter &e, int64_t gates,
                          int64_t layout) {
  RecurrentProblem p;
  p.op = op;
  p.gates = gates;
  p.layout = layout;
  p.direction = op.getDirection();
  p.bias = orNull(in.getB());
  p.lengths = orNull(in.getSequenceLens());
  p.initialH = orNull(in.getInitialH());
  if (auto clip = op.getClip())
    p.clip = clip->convertToFloat();
  Type x = op.getX().getType();
  p.steps = e.extent(x, layout ? 1 : 0);
  p.batch = e.extent(x, layout ? 0 : 1);
  p.element = typeOf(in.getX()).getElementType();
  p.compute = getComputeType(p.element);
  return p;
}

/// The products with weights of floats: w [directions, gates * hidden, input],
/// r [directions, gates * hidden, hidden].
template <typename OpT>
void useFloatWeights(RecurrentProblem &p, OpT, typename OpT::Adaptor in, Emitter &e) {
  p.hidden = e.extentsOf(in.getR())[2];
  auto weights = [](Emitter &e, Value w, unsigned dir, const RecurrentProblem &p) {
    return e.splitDim(takePart(e, w, 0, e.attr(dir)), 0, {e.attr(p.gates), p.hidden});
  };
  Value x = in.getX(), w = in.getW(), r = in.getR();
  int64_t layout = p.layout;
  // Loops t, gate, batch, hidden, input.
  p.project = [x, w, layout, weights, &p](Emitter &e, unsigned dir, Value init) {
    AffineMap xMap = layout ? e.mapOf(5, {2, 0, 4}) : e.mapOf(5, {0, 2, 4});
    return e.contract(5, {x, xMap}, {weights(e, w, dir, p), e.mapOf(5, {1, 3, 4})},
                      {init, e.mapOf(5, {0, 1, 2, 3})}, {4});
  };
  // Loops gate, batch, hidden, hidden before.
  p.recur = [r, weights, &p](Emitter &e, unsigned dir, Value h, Value init, int64_t first,
                             int64_t count) {
    Value part = weights(e, r, dir, p);
    if (count != p.gates)
      part = e.slice(part, 0, e.attr(first), e.attr(count));
    return e.contract(4, {h, e.mapOf(4, {1, 3})}, {part, e.mapOf(4, {0, 2, 3})},
                      {init, e.mapOf(4, {0, 1, 2})}, {3});
  };
}

Lowered lowerLSTM(LSTMOp op, LSTMOp::Adaptor in, Emitter &e) {
  RecurrentProblem p = describe(op, in, e, 4, op.getLayout());
  p.hasCell = true;
  p.initialC = orNull(in.getInitialC());
  p.peepholes = orNull(in.getP());
  p.inputForget = op.getInputForget() != 0;
  p.step = stepLSTM;
  std::string refusal = readActivations(p, op.getActivations(), op.getActivationAlpha(),
                                        op.getActivationBeta(), {"sigmoid", "tanh", "tanh"});
  if (!refusal.empty())
    return Lowered::refuse(refusal);
  useFloatWeights(p, op, in, e);
  return lowerRecurrence(p, e);
}

Lowered lowerGRU(GRUOp op, GRUOp::Adaptor in, Emitter &e) {
  RecurrentProblem p = describe(op, in, e, 3, op.getLayout());
  p.linearBeforeReset = op.getLinearBeforeReset() != 0;
  p.step = stepGRU;
  std::string refusal = readActivations(p, op.getActivations(), op.getActivationAlpha(),
                                        op.getActivationBeta(), {"sigmoid", "tanh"});
  if (!refusal.empty())
    return Lowered::refuse(refusal);
  useFloatWeights(p, op, in, e);
  return lowerRecurrence(p, e);
}

Lowered lowerRNN(RNNOp op, RNNOp::Adaptor in, Emitter &e) {
  RecurrentProblem p = describe(op, in, e, 1, op.getLayout());
  p.step = stepRNN;
  // The attribute's default names both directions.
  std::optional<ArrayAttr> names = op.getActivations();
  if (names && names->size() > p.directions())
    names = ArrayAttr::get(op.getContext(), names->getValue().take_front(p.directions()));
  std::string refusal =
      readActivations(p, names, op.getActivationAlpha(), op.getActivationBeta(), {"tanh"});
  if (!refusal.empty())
    return Lowered::refuse(refusal);
  useFloatWeights(p, op, in, e);
  return lowerRecurrence(p, e);
}

/// One factor of a quantised product: numbers, and for each gate and unit (or
/// for all) a scale and a zero point.
struct QuantizedWeights {
  Value numbers, scale, zero; ///< [directions, k, gates * hidden]; [directions, ...]
  bool isUnsigned;

  /// Scale or zero point of direction `dir` as an operand over loops of which
  /// `gate` and `unit` are given.
  Operand parameter(Emitter &e, Value of, unsigned dir, const RecurrentProblem &p, unsigned loops,
                    unsigned gate, unsigned unit) const {
    Value part = takePart(e, of, 0, e.attr(dir));
    if (typeOf(part).getRank() == 0)
      return {part, e.map(loops, {})};
    if (typeOf(part).getDimSize(0) == 1)
      return {part, e.map(loops, {e.zero()})};
    return {e.splitDim(part, 0, {e.attr(p.gates), p.hidden}), e.mapOf(loops, {gate, unit})};
  }

  /// The weights less their zero points, [k, gates, hidden].
  Value shifted(Emitter &e, unsigned dir, const RecurrentProblem &p) const {
    Value part = e.splitDim(takePart(e, numbers, 0, e.attr(dir)), 1, {e.attr(p.gates), p.hidden});
    if (!zero)
      return part;
    Type i16 = e.getIntegerType(16);
    return e.pointwise(e.extentsOf(part), i16,
                       {{part, e.identity(3)}, parameter(e, zero, dir, p, 3, 1, 2)},
                       [&](Emitter &e, ValueRange args) {
                         return e.sub(e.convert(args[0], i16, isUnsigned, false),
                                      e.convert(args[1], i16, isUnsigned, false));
                       });
  }
};

/// `x` quantised by its own range, less its zero point, as i16; and its scale.
std::pair<Value, Value> quantizeInput(Emitter &e, Value x) {
  DynamicQuantization q = quantizeDynamically(e, x);
  unsigned rank = typeOf(x).getRank();
  Type i16 = e.getIntegerType(16);
  Value shifted = e.pointwise(
      e.extentsOf(x), i16, {{q.elements, e.identity(rank)}, {q.zero, e.map(rank, {})}},
      [&](Emitter &e, ValueRange args) {
        return e.sub(e.convert(args[0], i16, true, false), e.convert(args[1], i16, true, false));
      });
  return {shifted, q.scale};
}

Lowered lowerDynamicQuantizeLSTM(MsDynamicQuantizeLSTMOp op, MsDynamicQuantizeLSTMOp::Adaptor in,
                                 Emitter &e) {
  RecurrentProblem p = describe(op, in, e, 4, 0);
  p.hasCell = true;
  p.initialC = orNull(in.getInitialC());
  p.peepholes = orNull(in.getP());
  p.inputForget = op.getInputForget() != 0;
  p.step = stepLSTM;
  std::string refusal = readActivations(p, op.getActivations(), op.getActivationAlpha(),
                                        op.getActivationBeta(), {"sigmoid", "tanh", "tanh"});
  if (!refusal.empty())
    return Lowered::refuse(refusal);
  p.hidden = e.extentsOf(in.getR())[1];
  auto zeroOf = [](Value original, Value converted) {
    return isZeroPointNone(original) ? Value() : converted;
  };
  QuantizedWeights w{in.getW(), in.getWScale(), zeroOf(op.getWZeroPoint(), in.getWZeroPoint()),
                     isUnsigned(op.getW())};
  QuantizedWeights r{in.getR(), in.getRScale(), zeroOf(op.getRZeroPoint(), in.getRZeroPoint()),
                     isUnsigned(op.getR())};
  Type i32 = e.getI32Type(), f32 = e.getF32Type();
  auto scaled = [&](Emitter &e, Value init, Value sums, Value scale, Operand weightScale) {
    unsigned rank = typeOf(sums).getRank();
    return e.pointwise(
        e.extentsOf(init), f32,
        {{init, e.identity(rank)}, {sums, e.identity(rank)}, {scale, e.map(rank, {})}, weightScale},
        [&](Emitter &e, ValueRange args) {
          Value sum = e.convert(args[1], f32, false, false);
          return e.add(args[0], e.mul(sum, e.mul(args[2], args[3])));
        });
  };
  p.project = [&](Emitter &e, unsigned dir, Value init) {
    auto [x, scale] = quantizeInput(e, in.getX());
    Value sums = e.filled(e.extentsOf(init), e.constantInt(i32, 0));
    sums = e.contract(5, {x, e.mapOf(5, {0, 2, 4})}, {w.shifted(e, dir, p), e.mapOf(5, {4, 1, 3})},
                      {sums, e.mapOf(5, {0, 1, 2, 3})}, {4}, false, w.isUnsigned && !w.zero);
    return scaled(e, init, sums, scale, w.parameter(e, w.scale, dir, p, 4, 1, 3));
  };
  // The weights' zero points are taken off before the loop.
  SmallVector<Value> recurrent;
  for (unsigned dir = 0; dir < p.directions(); ++dir)
    recurrent.push_back(r.shifted(e, dir, p));
  p.recur = [&](Emitter &e, unsigned dir, Value h, Value init, int64_t, int64_t) {
    auto [x, scale] = quantizeInput(e, h);
    Value sums = e.filled(e.extentsOf(init), e.constantInt(i32, 0));
    sums = e.contract(4, {x, e.mapOf(4, {1, 3})}, {recurrent[dir], e.mapOf(4, {3, 0, 2})},
                      {sums, e.mapOf(4, {0, 1, 2})}, {3}, false, r.isUnsigned && !r.zero);
    return scaled(e, init, sums, scale, r.parameter(e, r.scale, dir, p, 3, 0, 2));
  };
  return lowerRecurrence(p, e);
}

} // namespace

void dougong::onnx::populateRecurrentPatterns(PatternSet &set) {
  set.add<LSTMOp>(lowerLSTM);
  set.add<GRUOp>(lowerGRU);
  set.add<RNNOp>(lowerRNN);
  set.add<MsDynamicQuantizeLSTMOp>(lowerDynamicQuantizeLSTM);
}
