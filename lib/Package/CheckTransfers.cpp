//===- CheckTransfers.cpp - every port is fed, by something that fits -----===//
//
// Ids: transfer, stage-order, state.
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include "DataTypes.h"

#include <algorithm>

namespace dougong::package {
namespace {

using plan::v1::Endpoint;
using plan::v1::Value;
using Port = std::pair<std::uint32_t, std::uint32_t>; // stage, index

const Value *valueNamed(const google::protobuf::RepeatedPtrField<Value> &values,
                        const std::string &name) {
  for (const Value &value : values)
    if (value.name() == name)
      return &value;
  return nullptr;
}

/// "stage 'a' output 2", "model input 'x'".
std::string describe(const Checker &checker, const Endpoint &end, bool isSource) {
  if (end.place_case() == Endpoint::kModel)
    return (isSource ? "model input " : "model output ") + quote(end.model());
  std::uint32_t stage = end.port().stage();
  std::string name = stage < static_cast<std::uint32_t>(checker.plan.stages_size())
                         ? quote(checker.plan.stages(static_cast<int>(stage)).name())
                         : std::to_string(stage);
  return "stage " + name + (isSource ? " output " : " input ") + std::to_string(end.port().index());
}

/// The value at an end of a transfer, or nullptr after reporting why there is none.
const Value *resolve(Checker &checker, const Endpoint &end, bool isSource,
                     const std::string &subject) {
  auto fail = [&](std::string message) {
    checker.error("transfer", subject, std::move(message));
    return nullptr;
  };
  const auto &plan = checker.plan;
  if (end.place_case() == Endpoint::PLACE_NOT_SET)
    return fail(isSource ? "it has no source" : "it has no destination");
  if (end.place_case() == Endpoint::kModel) {
    const Value *value =
        valueNamed(isSource ? plan.model().inputs() : plan.model().outputs(), end.model());
    return value ? value
                 : fail("the model has no " + std::string(isSource ? "input " : "output ") +
                        quote(end.model()));
  }
  if (end.port().stage() >= static_cast<std::uint32_t>(plan.stages_size()))
    return fail("there is no stage " + std::to_string(end.port().stage()) + ", the plan has " +
                std::to_string(plan.stages_size()));
  const auto *program = checker.programOf(plan.stages(static_cast<int>(end.port().stage())));
  if (!program)
    return nullptr; // a schema finding
  const auto &ports = isSource ? program->outputs() : program->inputs();
  if (end.port().index() >= static_cast<std::uint32_t>(ports.size()))
    return fail("there is no " + describe(checker, end, isSource) + ", its program has " +
                std::to_string(ports.size()));
  return &ports[static_cast<int>(end.port().index())];
}

std::string printType(const Value &value) {
  std::string text = dataTypeName(value.dtype()) + " [";
  for (int i = 0; i != value.dims_size(); ++i)
    text += (i ? ", " : "") + value.dims(i);
  return text + "]";
}

/// Reports under `id` if two values cannot have the same type.
void compareTypes(Checker &checker, const Value &a, const Value &b, const std::string &id,
                  const std::string &subject) {
  if (a.dtype() != b.dtype() || a.dims_size() != b.dims_size()) {
    checker.error(id, subject, "its ends differ: " + printType(a) + " and " + printType(b));
    return;
  }
  for (int i = 0; i != a.dims_size(); ++i) {
    auto x = DimExpr::parse(a.dims(i)), y = DimExpr::parse(b.dims(i));
    if (!x || !y)
      continue; // a symbol finding of the value
    auto difference = (*x - *y).constant();
    if (difference && *difference != 0)
      checker.error(id, subject,
                    "its ends differ in dim " + std::to_string(i) + ": " + printType(a) + " and " +
                        printType(b));
    else if (!difference)
      checker.warning(id, subject,
                      "it is not proved that " + quote(a.dims(i)) + " equals " + quote(b.dims(i)) +
                          " in dim " + std::to_string(i) + "; the runner checks it in every step");
  }
}

/// Reports a circle of stages that wait for each other, by its names.
void checkOrder(Checker &checker, const std::map<std::uint32_t, std::set<std::uint32_t>> &next) {
  enum class Mark { New, Open, Done };
  const int stages = checker.plan.stages_size();
  std::vector<Mark> marks(static_cast<std::size_t>(stages), Mark::New);
  static const std::set<std::uint32_t> none;
  auto successors = [&](std::uint32_t stage) -> const std::set<std::uint32_t> & {
    auto found = next.find(stage);
    return found == next.end() ? none : found->second;
  };

  for (int root = 0; root != stages; ++root) {
    if (marks[static_cast<std::size_t>(root)] != Mark::New)
      continue;
    // Depth first, without recursion: a path of stages and their next edges.
    std::vector<std::pair<std::uint32_t, std::set<std::uint32_t>::const_iterator>> path;
    auto enter = [&](std::uint32_t stage) {
      marks[stage] = Mark::Open;
      path.emplace_back(stage, successors(stage).begin());
    };
    enter(static_cast<std::uint32_t>(root));
    while (!path.empty()) {
      auto &[stage, edge] = path.back();
      if (edge == successors(stage).end()) {
        marks[stage] = Mark::Done;
        path.pop_back();
        continue;
      }
      std::uint32_t target = *edge++;
      if (marks[target] == Mark::New) {
        enter(target);
      } else if (marks[target] == Mark::Open) {
        auto start = std::find_if(path.begin(), path.end(),
                                  [&](const auto &entry) { return entry.first == target; });
        std::string circle;
        for (auto entry = start; entry != path.end(); ++entry)
          circle += quote(checker.plan.stages(static_cast<int>(entry->first)).name()) + " -> ";
        std::string name = quote(checker.plan.stages(static_cast<int>(target)).name());
        checker.error("stage-order", "stage " + name,
                      "stages wait for each other: " + circle + name);
        return;
      }
    }
  }
}

/// The transfer that takes a model input to its (only) stage, or a stage's output
/// to a model output.
const plan::v1::StagePort *portOf(const Checker &checker, const std::string &name, bool isInput) {
  for (const auto &transfer : checker.plan.transfers()) {
    const Endpoint &model = isInput ? transfer.from() : transfer.to();
    const Endpoint &stage = isInput ? transfer.to() : transfer.from();
    if (model.place_case() == Endpoint::kModel && model.model() == name &&
        stage.place_case() == Endpoint::kPort)
      return &stage.port();
  }
  return nullptr;
}

/// Does a state's output lie where its input is read in the next step?
void checkPlaceOfState(Checker &checker, const plan::v1::State &state, const std::string &subject) {
  const auto *reader = portOf(checker, state.input(), true);
  const auto *writer = portOf(checker, state.output(), false);
  const auto stages = static_cast<std::uint32_t>(checker.plan.stages_size());
  if (!reader || !writer || reader->stage() >= stages || writer->stage() >= stages)
    return;
  const auto &readerStage = checker.plan.stages(static_cast<int>(reader->stage()));
  const auto &writerStage = checker.plan.stages(static_cast<int>(writer->stage()));
  const auto *in = checker.programOf(readerStage), *out = checker.programOf(writerStage);
  if (!in || !out || reader->index() >= static_cast<std::uint32_t>(in->inputs_size()) ||
      writer->index() >= static_cast<std::uint32_t>(out->outputs_size()))
    return;
  auto text = [](const Value &value) {
    std::string result;
    for (const auto &dim : value.sharding())
      result += dim.SerializeAsString() + ";";
    return result;
  };
  if (readerStage.mesh() != writerStage.mesh())
    checker.warning("state", subject,
                    "it moves in every step: stage " + quote(writerStage.name()) +
                        " writes it and stage " + quote(readerStage.name()) +
                        ", on other ranks, reads it");
  else if (text(in->inputs(static_cast<int>(reader->index()))) !=
           text(out->outputs(static_cast<int>(writer->index()))))
    checker.warning("state", subject,
                    "it moves in every step: it is written and read with different shardings");
}

} // namespace

void checkTransfers(Checker &checker) {
  const auto &plan = checker.plan;
  std::map<Port, int> fed;
  std::map<std::string, int> produced;
  std::map<std::uint32_t, std::set<std::uint32_t>> next;

  for (int i = 0; i != plan.transfers_size(); ++i) {
    const auto &transfer = plan.transfers(i);
    std::string subject = "transfer " + std::to_string(i) +
                          (transfer.value().empty() ? "" : " (" + quote(transfer.value()) + ")");
    const Value *source = resolve(checker, transfer.from(), true, subject);
    const Value *target = resolve(checker, transfer.to(), false, subject);
    if (source && target)
      compareTypes(checker, *source, *target, "transfer", subject);

    const Endpoint &to = transfer.to();
    int *earlier = nullptr;
    if (target && to.place_case() == Endpoint::kPort)
      earlier = &fed[{to.port().stage(), to.port().index()}];
    else if (target)
      earlier = &produced[to.model()];
    if (earlier && (*earlier)++ != 0)
      checker.error("transfer", subject, describe(checker, to, false) + " is fed twice");
    if (source && target && transfer.from().place_case() == Endpoint::kPort &&
        to.place_case() == Endpoint::kPort)
      next[transfer.from().port().stage()].insert(to.port().stage());
  }

  for (int s = 0; s != plan.stages_size(); ++s) {
    const auto *program = checker.programOf(plan.stages(s));
    for (int i = 0; program && i != program->inputs_size(); ++i)
      if (!fed.count({static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(i)}))
        checker.error("transfer", "stage " + quote(plan.stages(s).name()),
                      "nothing feeds its input " + std::to_string(i) + ", " +
                          quote(program->inputs(i).name()));
  }
  for (const Value &output : plan.model().outputs())
    if (!produced.count(output.name()))
      checker.error("transfer", "model output " + quote(output.name()), "no stage produces it");
  checkOrder(checker, next);
}

void checkStates(Checker &checker) {
  const auto &model = checker.plan.model();
  std::set<std::string> inputs, outputs;
  for (const auto &state : model.states()) {
    std::string subject = "state " + quote(state.input());
    const Value *input = valueNamed(model.inputs(), state.input());
    const Value *output = valueNamed(model.outputs(), state.output());
    if (!input)
      checker.error("state", subject, "the model has no input " + quote(state.input()));
    if (!output)
      checker.error("state", subject, "the model has no output " + quote(state.output()));
    if (!inputs.insert(state.input()).second)
      checker.error("state", subject, "the input is in two states");
    if (!outputs.insert(state.output()).second)
      checker.error("state", subject, "output " + quote(state.output()) + " is in two states");
    if (!input || !output)
      continue;
    // Extents may differ: a cache grows from past to past + seq.
    if (input->dtype() != output->dtype() || input->dims_size() != output->dims_size())
      checker.error("state", subject,
                    "its input is " + printType(*input) + ", its output " + printType(*output));
    checkPlaceOfState(checker, state, subject);
  }
}

} // namespace dougong::package
