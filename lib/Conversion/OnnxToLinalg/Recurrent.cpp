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

/// Gates [first, first + count) of `sums` [batch, gates * hidden].
static Value takeGates(Emitter &e, const RecurrentProblem &p, Value sums, int64_t first,
                       int64_t count = 1) {
  return e.slice(sums, 1, e.mulSizes(p.hidden, e.attr(first)), e.mulSizes(p.hidden, e.attr(count)));
}

SmallVector<Value> dougong::onnx::stepLSTM(Emitter &e, const RecurrentProblem &p, unsigned dir,
                                           Value inputs, ValueRange states) {
  const Activation &f = p.activations[dir * 3], &g = p.activations[dir * 3 + 1],
                   &h = p.activations[dir * 3 + 2];
  Value sums = p.recur(e, dir, states[0], inputs, 0, 4);
  AffineMap same = e.identity(2);
  SmallVector<Operand> operands; // i, o, f, c, cell, peepholes i, o, f
  for (unsigned gate = 0; gate < 4; ++gate)
    operands.push_back({takeGates(e, p, sums, gate), same});
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
  return {e.pointwise({p.batch, p.hidden}, p.compute, {{sums, e.identity(2)}},
                      [&](Emitter &e, ValueRange args) {
                        return p.activations[dir].apply(e, clipped(e, p, args[0]));
                      })};
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
  Value sums = p.recur(e, dir, state, takeGates(e, p, inputs, 0, 2), 0, 2);
  Value z = takeGates(e, p, sums, 0), r = takeGates(e, p, sums, 1);
  Value input = takeGates(e, p, inputs, 2);
  if (p.linearBeforeReset) {
    Value init;
    if (p.bias) {
      Value bias = e.slice(takePart(e, p.bias, 0, e.attr(dir)), 0, e.mulSizes(p.hidden, e.attr(5)),
                           p.hidden);
      init = e.pointwise(
          shape, p.compute, {{bias, e.mapOf(2, {1})}},
          [&](Emitter &e, ValueRange args) { return e.toFloatType(args[0], p.compute); });
    } else {
      init = e.filled(shape, e.constant(p.compute, 0));
    }
    Value hidden = p.recur(e, dir, state, init, 2, 1);
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
  Value hidden = p.recur(e, dir, kept, input, 2, 1);
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
  Value x = in.getX(), w = in.getW(), r = in.getR();
  int64_t layout = p.layout;
  // Loops t, batch, unit of a gate, input.
  p.project = [x, w, layout](Emitter &e, unsigned dir, Value init) {
    AffineMap xMap = layout ? e.mapOf(4, {1, 0, 3}) : e.mapOf(4, {0, 1, 3});
    AffineExpr direction = e.getAffineConstantExpr(dir);
    return e.contract(4, {x, xMap}, {w, e.map(4, {direction, e.loop(2), e.loop(3)})},
                      {init, e.mapOf(4, {0, 1, 2})}, {3});
  };
  // Loops batch, unit of a gate, hidden before.
  p.recur = [r, &p](Emitter &e, unsigned dir, Value h, Value init, int64_t first, int64_t count) {
    // (all gates are read from the weight itself, so that it can be laid down anew)
    Operand part{r, e.map(3, {e.getAffineConstantExpr(dir), e.loop(1), e.loop(2)})};
    if (count != p.gates)
      part = {e.slice(takePart(e, r, 0, e.attr(dir)), 0, e.mulSizes(p.hidden, e.attr(first)),
                      e.mulSizes(p.hidden, e.attr(count))),
              e.mapOf(3, {1, 2})};
    return e.contract(3, {h, e.mapOf(3, {0, 2})}, part, {init, e.mapOf(3, {0, 1})}, {2});
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

/// The weights of a quantised product: numbers, and for each unit of a gate (or
/// for all) a scale and a zero point.
struct QuantizedWeights {
  Value numbers, scale, zero; ///< [directions, k, gates * hidden]; [directions, ...]
  bool isUnsigned;

  /// Scale or zero point of direction `dir` in a nest whose loop `unit` runs over
  /// the units.
  static Operand place(Emitter &e, Value of, unsigned dir, ArrayRef<OpFoldResult> shape,
                       unsigned unit) {
    return placeParameter(e, takePart(e, of, 0, e.attr(dir)), shape, unit);
  }

  /// `init` [..., batch, units] and the product of `x` [..., batch, k] and the
  /// weights of direction `dir`.
  Value multiply(Emitter &e, Value x, unsigned dir, Value init) const {
    unsigned rank = typeOf(x).getRank(), unit = rank - 1; // loops: of init, then k
    Type i32 = e.getI32Type(), f32 = e.getF32Type();
    QuantizedInput input = quantizeInput(e, x);
    SmallVector<unsigned> rows = llvm::to_vector(llvm::seq(0u, unit)), left = rows, out = rows;
    left.push_back(rank);
    out.push_back(unit);
    Value sums = e.filled(e.extentsOf(init), e.constantInt(i32, 0));
    AffineMap right = e.map(rank + 1, {e.getAffineConstantExpr(dir), e.loop(rank), e.loop(unit)});
    sums = e.contract(rank + 1, {input.numbers, e.mapOf(rank + 1, left)}, {numbers, right},
                      {sums, e.mapOf(rank + 1, out)}, {rank}, false, isUnsigned);
    if (zero)
      sums = takeOffZeroPoint(e, sums, {sumRows(e, input.numbers, false), e.mapOf(rank, rows)},
                              place(e, zero, dir, e.extentsOf(init), unit), isUnsigned);
    AffineMap same = e.identity(rank);
    return e.pointwise(e.extentsOf(init), f32,
                       {{init, same},
                        {sums, same},
                        {input.scale, e.map(rank, {})},
                        place(e, scale, dir, e.extentsOf(init), unit)},
                       [&](Emitter &e, ValueRange args) {
                         Value sum = e.convert(args[1], f32, false, false);
                         return e.add(args[0], e.mul(sum, e.mul(args[2], args[3])));
                       });
  }
};

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
  p.project = [&](Emitter &e, unsigned dir, Value init) {
    return w.multiply(e, in.getX(), dir, init);
  };
  p.recur = [&](Emitter &e, unsigned dir, Value h, Value init, int64_t, int64_t) {
    return r.multiply(e, h, dir, init);
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
