//===- StrategyFile.cpp - reads strategy.yaml -----------------------------===//
#include "dougong/Dist/Strategy.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/YAMLParser.h"
#include "llvm/Support/YAMLTraits.h"

using namespace llvm;
using namespace dougong::dist;

namespace {

/// Where the text is, so that entries know their lines.
struct FileContext {
  StringRef text, name;

  std::string getWhere(const char *position) const {
    if (position < text.begin() || position > text.end())
      return name.str();
    auto line = 1 + StringRef(text.begin(), position - text.begin()).count('\n');
    return (name + ":" + Twine(line)).str();
  }
};

/// The line of the mapping that is being read.
std::string getWhere(yaml::IO &io) {
  auto &input = static_cast<yaml::Input &>(io);
  auto *context = static_cast<FileContext *>(io.getContext());
  const yaml::Node *node = input.getCurrentNode();
  return node && context ? context->getWhere(node->getSourceRange().Start.getPointer()) : "";
}

/// The size of an axis, and where it is written: LLVM's reader does not keep the
/// order of keys, which is that of the axes.
struct AxisSize {
  int64_t size = 0;
  const char *at = nullptr;
};
struct Mesh : std::vector<std::pair<std::string, AxisSize>> {
  /// Axes in the order of the file.
  std::vector<std::pair<std::string, int64_t>> get() const {
    auto sorted = *this;
    llvm::sort(sorted, [](const auto &a, const auto &b) { return a.second.at < b.second.at; });
    std::vector<std::pair<std::string, int64_t>> axes;
    for (const auto &[name, size] : sorted)
      axes.push_back({name, size.size});
    return axes;
  }
};
struct States : std::vector<std::pair<std::string, std::string>> {};
/// One string or a list of strings.
struct Patterns : std::vector<std::string> {};

} // namespace

LLVM_YAML_IS_SEQUENCE_VECTOR(dougong::dist::StageSpec)
LLVM_YAML_IS_SEQUENCE_VECTOR(dougong::dist::ShardSpec)

namespace llvm::yaml {

template <> struct ScalarTraits<AxisSize> {
  static void output(const AxisSize &, void *, raw_ostream &) {}
  static StringRef input(StringRef text, void *, AxisSize &size) {
    size.at = text.data();
    return text.getAsInteger(10, size.size) ? "expected a number" : "";
  }
  static QuotingType mustQuote(StringRef) { return QuotingType::None; }
};

template <> struct CustomMappingTraits<Mesh> {
  static void inputOne(IO &io, StringRef key, Mesh &mesh) {
    AxisSize size;
    io.mapRequired(key.str().c_str(), size);
    if (size.size < 1)
      io.setError("axis \"" + key + "\" must have a size of at least 1");
    mesh.push_back({key.str(), size});
  }
  static void output(IO &, Mesh &) {}
};

template <> struct CustomMappingTraits<States> {
  static void inputOne(IO &io, StringRef key, States &states) {
    std::string output;
    io.mapRequired(key.str().c_str(), output);
    if (key.count('*') > 1 || key.count('*') != StringRef(output).count('*'))
      io.setError("a state pattern has at most one *, in both names");
    states.push_back({key.str(), output});
  }
  static void output(IO &, States &) {}
};

template <> struct PolymorphicTraits<Patterns> {
  static NodeKind getKind(const Patterns &) { return NodeKind::Sequence; }
  static std::string &getAsScalar(Patterns &patterns) {
    patterns.resize(1);
    return patterns.front();
  }
  static std::vector<std::string> &getAsSequence(Patterns &patterns) { return patterns; }
  static Mesh &getAsMap(Patterns &) {
    static Mesh unused;
    return unused;
  }
};

template <> struct MappingTraits<StageSpec> {
  static void mapping(IO &io, StageSpec &stage) {
    stage.where = getWhere(io);
    Patterns nodes;
    Mesh mesh;
    io.mapRequired("nodes", nodes);
    io.mapOptional("mesh", mesh);
    io.mapOptional("on", stage.on);
    stage.nodes = nodes;
    stage.mesh = mesh.get();
  }
};

template <> struct MappingTraits<ShardSpec> {
  static void mapping(IO &io, ShardSpec &shard) {
    shard.where = getWhere(io);
    io.mapOptional("node", shard.node);
    io.mapOptional("role", shard.role);
    io.mapOptional("operand", shard.operand);
    io.mapOptional("result", shard.result);
    io.mapRequired("dims", shard.dims);
    if (shard.node.empty() == shard.role.empty())
      io.setError("give either a node pattern or a role");
    if (shard.operand && shard.result)
      io.setError("give either an operand or a result");
    if (shard.operand.value_or(0) < 0 || shard.result.value_or(0) < 0)
      io.setError("the number of an operand or result is not negative");
  }
};

template <> struct MappingTraits<Strategy> {
  static void mapping(IO &io, Strategy &strategy) {
    Mesh mesh;
    States states;
    io.mapOptional("stages", strategy.stages);
    io.mapOptional("mesh", mesh);
    io.mapOptional("pipeline", strategy.pipeline);
    io.mapOptional("shard", strategy.shards);
    io.mapOptional("microbatches", strategy.microBatches);
    io.mapOptional("sequence", strategy.sequence);
    io.mapOptional("experts", strategy.experts);
    io.mapOptional("state", states);
    io.mapOptional("configuration", strategy.configuration);
    strategy.mesh = mesh.get();
    strategy.states = states;
    if (!strategy.stages.empty() && (!mesh.empty() || strategy.pipeline != 1))
      io.setError("give either stages, or a mesh and a number of equal stages");
    if (!strategy.configuration.empty() &&
        !(strategy.stages.empty() && mesh.empty() && strategy.pipeline == 1))
      io.setError("stages and meshes are those of the configuration: give either");
    if (strategy.pipeline < 1)
      io.setError("pipeline must be at least 1");
    if (strategy.microBatches < 1 || strategy.microBatches > maxMicroBatches)
      io.setError("microbatches must be 1 to " + Twine(maxMicroBatches) + ", got " +
                  Twine(strategy.microBatches));
  }
};

} // namespace llvm::yaml

/// Keeps the first message, as "file:line: text".
static void keepMessage(const SMDiagnostic &diagnostic, void *context) {
  auto &message = *static_cast<std::string *>(context);
  if (message.empty())
    message = (diagnostic.getFilename() + ":" + Twine(diagnostic.getLineNo()) + ": " +
               diagnostic.getMessage())
                  .str();
}

/// No strategy comes near. LLVM's reader recurses without a bound.
constexpr unsigned maxDepth = 16;

/// The first node that is nested deeper than that, or null. (The caller must not read
/// on after it: skipping a node recurses, too.)
static yaml::Node *findTooDeep(yaml::Node *node, unsigned depth) {
  if (depth > maxDepth)
    return node;
  if (auto *sequence = dyn_cast_if_present<yaml::SequenceNode>(node)) {
    for (yaml::Node &item : *sequence)
      if (yaml::Node *found = findTooDeep(&item, depth + 1))
        return found;
  } else if (auto *mapping = dyn_cast_if_present<yaml::MappingNode>(node)) {
    for (yaml::KeyValueNode &entry : *mapping) {
      if (yaml::Node *found = findTooDeep(entry.getKey(), depth + 1))
        return found;
      if (yaml::Node *found = findTooDeep(entry.getValue(), depth + 1))
        return found;
    }
  }
  return nullptr;
}

/// The place of a value that is nested too deep, "" if there is none.
static std::string findDepthFault(StringRef text, const FileContext &context) {
  SourceMgr manager;
  manager.setDiagHandler([](const SMDiagnostic &, void *) {}); // the reader reports errors
  yaml::Stream stream(text, manager, /*ShowColors=*/false);
  yaml::document_iterator document = stream.begin();
  if (document == stream.end())
    return "";
  yaml::Node *found = findTooDeep(document->getRoot(), 0);
  return found ? context.getWhere(found->getSourceRange().Start.getPointer()) : "";
}

Expected<Strategy> dougong::dist::parseStrategy(StringRef text, StringRef fileName) {
  FileContext context{text, fileName};
  if (std::string where = findDepthFault(text, context); !where.empty())
    return createStringError(where + ": values are nested deeper than " + Twine(maxDepth) +
                             " levels");
  std::string message;
  yaml::Input input(MemoryBufferRef(text, fileName), &context, keepMessage, &message);
  Strategy strategy;
  input >> strategy;
  if (input.error() || !message.empty())
    return createStringError(inconvertibleErrorCode(),
                             message.empty() ? (fileName + ": cannot be read").str() : message);
  return strategy;
}

Expected<Strategy> dougong::dist::readStrategyFile(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return createStringError(buffer.getError(),
                             path + ": cannot be read: " + buffer.getError().message());
  return parseStrategy((*buffer)->getBuffer(), path);
}
