//===- EmitObject.cpp - LLVM dialect to machine code ----------------------===//
#include "Internal.h"

#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace dougong;
using namespace dougong::cpu;

/// The program ABI: what a shared library exports.
static constexpr llvm::StringLiteral exportPrefix = "dougong_program_";

llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
cpu::createTargetMachine(const CpuTraits &traits, unsigned optLevel) {
  llvm::Triple triple(traits.triple);
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return llvm::createStringError("no code generator for '" + traits.triple + "': " + message);
  llvm::TargetOptions options;
  // Multiply-adds are fused by llvm.fma and contract flags alone, so that the
  // results of plain arithmetic are those of IEEE.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  // Level 0 code is many times slower: never.
  auto level = optLevel >= 3   ? llvm::CodeGenOptLevel::Aggressive
               : optLevel == 2 ? llvm::CodeGenOptLevel::Default
                               : llvm::CodeGenOptLevel::Less;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, traits.cpu, traits.features, options, llvm::Reloc::PIC_, std::nullopt, level));
  if (!machine)
    return llvm::createStringError("no code generator for processor '" + traits.cpu + "'");
  return machine;
}

/// The host's features in LLVM's form. The name alone is not enough: a virtual
/// machine may hide features of its processor.
static std::string getHostFeatures() {
  std::string text;
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  llvm::SmallVector<llvm::StringRef> names(features.keys());
  llvm::sort(names); // the map's order is no one's
  for (llvm::StringRef name : names)
    text += (text.empty() ? "" : ",") + std::string(features[name] ? "+" : "-") + name.str();
  return text;
}

static void initializeTargets() {
  static bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
    return true;
  }();
  (void)initialized;
}

/// A processor of the host's kind that has only what all of them have.
static llvm::Expected<std::unique_ptr<llvm::MCSubtargetInfo>> createGenericInfo() {
  initializeTargets();
  llvm::Triple triple(llvm::Triple::normalize(llvm::sys::getProcessTriple()));
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  std::unique_ptr<llvm::MCSubtargetInfo> info(target ? target->createMCSubtargetInfo(triple, "", "")
                                                     : nullptr);
  if (!info)
    return llvm::createStringError("no code generator for '" + triple.str() + "': " + message);
  return info;
}

llvm::Expected<CpuTraits> cpu::getCpuTraits(const CpuOptions &options) {
  CpuTraits traits;
  traits.triple = llvm::Triple::normalize(llvm::sys::getProcessTriple());
  traits.cpu = options.cpu;
  if (options.cpu == "native") {
    traits.cpu = llvm::sys::getHostCPUName().str();
    traits.features = getHostFeatures();
  }
  if (!options.features.empty())
    traits.features += (traits.features.empty() ? "" : ",") + options.features;

  // Asked before it is used: LLVM complains on stderr about names it does not know.
  auto generic = createGenericInfo();
  if (!generic)
    return generic.takeError();
  if (!(*generic)->isCPUStringValid(traits.cpu)) {
    std::string known = "native";
    for (const llvm::SubtargetSubTypeKV &processor : (*generic)->getAllProcessorDescriptions())
      known += std::string(", ") + processor.Key;
    return llvm::createStringError("unknown processor '" + traits.cpu + "': expected one of " +
                                   known);
  }
  llvm::Triple triple(traits.triple);
  std::string message;
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      llvm::TargetRegistry::lookupTarget(triple, message)
          ->createMCSubtargetInfo(triple, traits.cpu, traits.features));
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine = createTargetMachine(traits, 2);
  if (!machine)
    return machine.takeError();
  traits.dataLayout = (*machine)->createDataLayout().getStringRepresentation();
  // Register tiles: measured in notes of the project; more rows spill.
  traits.pairProducts =
      info->checkFeatures(info->checkFeatures("+avx512f") ? "+avx512bw" : "+sse2");
  if (info->checkFeatures("+avx512f")) {
    traits.lanes = 16;
    traits.tileRows = 8;
  } else if (info->checkFeatures("+avx2")) {
    traits.lanes = 8;
    traits.tileRows = 6;
  }
  return traits;
}

/// Makes everything but the program ABI local, names the processor on each
/// function, and refuses calls of functions that a program may not need.
static llvm::Error prepareModule(llvm::Module &module, const CpuTraits &traits) {
  static const llvm::StringSet<> allowed = {
      "memcpy", "memmove", "memset", "sinf",   "cosf",   "tanf",       "sinhf",     "coshf",
      "asinhf", "acoshf",  "atanhf", "powf",   "fmodf",  "atan2f",     "atanf",     "asinf",
      "acosf",  "expf",    "exp2f",  "expm1f", "logf",   "log2f",      "log10f",    "log1pf",
      "tanhf",  "erff",    "erfcf",  "cbrtf",  "roundf", "roundevenf", "truncf",    "floorf",
      "ceilf",  "rintf",   "sqrtf",  "fmaf",   "sin",    "cos",        "tan",       "sinh",
      "cosh",   "asinh",   "acosh",  "atanh",  "pow",    "fmod",       "atan2",     "atan",
      "asin",   "acos",    "exp",    "exp2",   "expm1",  "log",        "log2",      "log10",
      "log1p",  "tanh",    "erf",    "erfc",   "cbrt",   "round",      "roundeven", "trunc",
      "floor",  "ceil",    "rint",   "sqrt",   "fma"};
  for (llvm::Function &function : module) {
    if (function.isIntrinsic())
      continue;
    if (function.isDeclaration()) {
      if (!allowed.contains(function.getName()) && !function.use_empty())
        return llvm::createStringError("program calls '" + function.getName().str() +
                                       "', which is not part of its ABI");
      continue;
    }
    // The schedule calls each kernel; inlined, it would be one huge function.
    function.addFnAttr(llvm::Attribute::NoInline);
    if (function.getName().starts_with(exportPrefix)) {
      // Thousands of calls in a row, once a step: optimising and scheduling them
      // takes time out of proportion, and gains nothing.
      function.addFnAttr(llvm::Attribute::OptimizeNone);
    } else {
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
    }
    function.addFnAttr("target-cpu", traits.cpu);
    if (!traits.features.empty())
      function.addFnAttr("target-features", traits.features);
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (traits.lanes == 16)
      function.addFnAttr("prefer-vector-width", "512");
  }
  for (llvm::GlobalVariable &global : module.globals())
    if (!global.isDeclaration())
      global.setLinkage(llvm::GlobalValue::InternalLinkage);
  return llvm::Error::success();
}

/// Defines `__truncsfbf2` (f32 to bf16, to nearest even), which the code
/// generator calls where it takes a vector of bf16 apart: programs link against
/// no compiler library. NaNs stay NaNs.
static void defineBf16Rounding(llvm::Module &module) {
  bool isUsed = llvm::any_of(module, [](llvm::Function &function) {
    return llvm::any_of(llvm::instructions(function), [](llvm::Instruction &instruction) {
      return instruction.getType()->getScalarType()->isBFloatTy();
    });
  });
  if (!isUsed)
    return;
  llvm::LLVMContext &context = module.getContext();
  llvm::Type *f32 = llvm::Type::getFloatTy(context), *bf16 = llvm::Type::getBFloatTy(context);
  auto *function =
      llvm::Function::Create(llvm::FunctionType::get(bf16, {f32}, false),
                             llvm::GlobalValue::ExternalLinkage, "__truncsfbf2", module);
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", function));
  llvm::Value *value = function->getArg(0);
  llvm::Value *bits = builder.CreateBitCast(value, builder.getInt32Ty());
  llvm::Value *odd = builder.CreateAnd(builder.CreateLShr(bits, 16), 1);
  llvm::Value *rounded = builder.CreateAdd(bits, builder.CreateAdd(odd, builder.getInt32(0x7fff)));
  llvm::Value *quiet = builder.CreateOr(bits, 0x00400000);
  llvm::Value *result = builder.CreateSelect(builder.CreateFCmpUNO(value, value), quiet, rounded);
  llvm::Value *upper = builder.CreateTrunc(builder.CreateLShr(result, 16), builder.getInt16Ty());
  builder.CreateRet(builder.CreateBitCast(upper, bf16));
  llvm::appendToUsed(module, {function});
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine, unsigned optLevel) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  auto level = optLevel >= 3   ? llvm::OptimizationLevel::O3
               : optLevel == 2 ? llvm::OptimizationLevel::O2
                               : llvm::OptimizationLevel::O1;
  builder.buildPerModuleDefaultPipeline(level).run(module, modules);
}

llvm::Expected<std::string> cpu::emitMachineCode(mlir::ModuleOp module, const CpuOptions &options,
                                                 const CpuTraits &traits, bool assembly) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated =
      mlir::translateModuleToLLVMIR(module, context, "program");
  if (!translated)
    return llvm::createStringError("translation to LLVM IR failed");
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine =
      createTargetMachine(traits, options.optLevel);
  if (!machine)
    return machine.takeError();
  translated->setTargetTriple(llvm::Triple(traits.triple));
  translated->setDataLayout((*machine)->createDataLayout());
  translated->setPICLevel(llvm::PICLevel::BigPIC);
  translated->setSourceFileName("program");
  if (llvm::Error error = prepareModule(*translated, traits))
    return error;
  defineBf16Rounding(*translated);
  optimize(*translated, **machine, options.optLevel);

  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager codegen;
  auto kind = assembly ? llvm::CodeGenFileType::AssemblyFile : llvm::CodeGenFileType::ObjectFile;
  if ((*machine)->addPassesToEmitFile(codegen, stream, nullptr, kind))
    return llvm::createStringError("the code generator cannot write this kind of file");
  codegen.run(*translated);
  return std::string(bytes.begin(), bytes.end());
}
