//===- Optimizers.cpp - Adam, Momentum, Adagrad ---------------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

/// The scalars of a step, in the compute type of a tensor.
struct Step {
  Value rate, count;

  template <typename OpT> Step(Emitter &e, OpT op, typename OpT::Adaptor in, Type compute) {
    rate = e.convert(scalarOf(e, in.getR()), compute, false, false);
    count = e.convert(scalarOf(e, in.getT()), compute, false, false);
  }

private:
  static Value scalarOf(Emitter &e, Value tensor) {
    SmallVector<Value> at(typeOf(tensor).getRank(), e.index(int64_t{0}));
    return e.extract(tensor, at);
  }
};

/// New values of one tensor and its states, from the old ones: element, gradient,
/// states.
using Update =
    llvm::function_ref<SmallVector<Value>(Emitter &e, const Step &step, ValueRange args)>;

/// Applies `update` to every tensor. Operands come by kind: all tensors, all
/// gradients, all first states, ...; so do results.
template <typename OpT>
Lowered lowerOptimizer(OpT op, typename OpT::Adaptor in, Emitter &e, unsigned groups,
                       Update update) {
  ValueRange inputs = in.getInputs();
  unsigned count = inputs.size() / groups;
  SmallVector<Value> results(op->getNumResults());
  for (unsigned i = 0; i < count; ++i) {
    Type element = resultElement(op, i), compute = getComputeType(element);
    Extents shape = e.extents(resultType(op, i));
    AffineMap map = e.identity(shape.size());
    SmallVector<Operand> operands;
    for (unsigned group = 0; group < groups; ++group)
      operands.push_back({inputs[group * count + i], map});
    Step step(e, op, in, compute);
    SmallVector<Type> elements(groups - 1, element);
    auto made = e.pointwiseMulti(shape, elements, operands, [&](Emitter &e, ValueRange args) {
      SmallVector<Value> wide, narrow;
      for (Value arg : args)
        wide.push_back(e.widen(arg));
      for (Value value : update(e, step, wide))
        narrow.push_back(e.toFloatType(value, element));
      return narrow;
    });
    for (auto [group, value] : llvm::enumerate(made))
      results[group * count + i] = value;
  }
  return results;
}

/// x * factor + gradient: the gradient with its regularization.
Value regularize(Emitter &e, double factor, Value x, Value gradient) {
  return e.add(e.mul(e.constant(x.getType(), factor), x), gradient);
}

Lowered lowerAdam(TrainingAdamOp op, TrainingAdamOp::Adaptor in, Emitter &e) {
  double alpha = op.getAlpha().convertToDouble(), beta = op.getBeta().convertToDouble();
  double epsilon = op.getEpsilon().convertToDouble();
  double norm = op.getNormCoefficient().convertToDouble();
  double post = op.getNormCoefficientPost().convertToDouble();
  return lowerOptimizer(
      op, in, e, 4, [&](Emitter &e, const Step &step, ValueRange args) -> SmallVector<Value> {
        Type type = args[0].getType();
        auto number = [&](double value) { return e.constant(type, value); };
        Value g = regularize(e, norm, args[0], args[1]);
        Value v = e.add(e.mul(number(alpha), args[2]), e.mul(number(1 - alpha), g));
        Value h = e.add(e.mul(number(beta), args[3]), e.mul(number(1 - beta), e.mul(g, g)));
        Value root = e.add(math::SqrtOp::create(e, h), number(epsilon));
        // Both means start at 0: corrected from the first step on.
        auto lack = [&](double base) -> Value {
          return e.sub(number(1), math::PowFOp::create(e, number(base), step.count));
        };
        Value corrected = e.div(e.mul(step.rate, math::SqrtOp::create(e, lack(beta))), lack(alpha));
        Value begun = e.compare(Compare::Greater, step.count, number(0));
        Value rate = e.select(begun, corrected, step.rate);
        Value x = e.sub(args[0], e.mul(rate, e.div(v, root)));
        return {e.mul(number(1 - post), x), v, h};
      });
}

Lowered lowerMomentum(TrainingMomentumOp op, TrainingMomentumOp::Adaptor in, Emitter &e) {
  double alpha = op.getAlpha().convertToDouble(), beta = op.getBeta().convertToDouble();
  double norm = op.getNormCoefficient().convertToDouble();
  bool isNesterov = op.getMode() == "nesterov";
  return lowerOptimizer(op, in, e, 3,
                        [&](Emitter &e, const Step &step, ValueRange args) -> SmallVector<Value> {
                          Type type = args[0].getType();
                          auto number = [&](double value) { return e.constant(type, value); };
                          Value g = regularize(e, norm, args[0], args[1]);
                          Value begun = e.compare(Compare::Greater, step.count, number(0));
                          Value weight = e.select(begun, number(beta), number(1));
                          Value v = e.add(e.mul(number(alpha), args[2]), e.mul(weight, g));
                          Value direction = isNesterov ? e.add(g, e.mul(number(alpha), v)) : v;
                          return {e.sub(args[0], e.mul(step.rate, direction)), v};
                        });
}

Lowered lowerAdagrad(TrainingAdagradOp op, TrainingAdagradOp::Adaptor in, Emitter &e) {
  double decay = op.getDecayFactor().convertToDouble();
  double epsilon = op.getEpsilon().convertToDouble();
  double norm = op.getNormCoefficient().convertToDouble();
  return lowerOptimizer(
      op, in, e, 3, [&](Emitter &e, const Step &step, ValueRange args) -> SmallVector<Value> {
        Type type = args[0].getType();
        auto number = [&](double value) { return e.constant(type, value); };
        Value rate = e.div(step.rate, e.add(number(1), e.mul(step.count, number(decay))));
        Value g = regularize(e, norm, args[0], args[1]);
        Value h = e.add(args[2], e.mul(g, g));
        Value root = e.add(math::SqrtOp::create(e, h), number(epsilon));
        return {e.sub(args[0], e.div(e.mul(rate, g), root)), h};
      });
}

} // namespace

void dougong::onnx::populateOptimizerPatterns(PatternSet &set) {
  set.add<TrainingAdamOp>(lowerAdam);
  set.add<TrainingMomentumOp>(lowerMomentum);
  set.add<TrainingAdagradOp>(lowerAdagrad);
}
