//===- KernelRunner.cpp - compiles kernels from text and calls them -------===//
#include "KernelRunner.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

using namespace mlir;
using namespace dougong;
using namespace dougong::test;

namespace {

/// The arguments of an entry point: pointers and dims in arrays, in order.
struct EntryReader {
  ImplicitLocOpBuilder &b;
  Value pointers;
  Value dims;
  int32_t nextPointer = 0;
  int32_t nextDim = 0;

  Value loadDim() {
    Type i64 = b.getI64Type();
    Value address =
        LLVM::GEPOp::create(b, dims.getType(), i64, dims, ArrayRef<LLVM::GEPArg>{nextDim++});
    return LLVM::LoadOp::create(b, i64, address);
  }
  Value loadPointer() {
    Value address = LLVM::GEPOp::create(b, pointers.getType(), pointers.getType(), pointers,
                                        ArrayRef<LLVM::GEPArg>{nextPointer++});
    return LLVM::LoadOp::create(b, pointers.getType(), address);
  }
  /// The descriptor of a contiguous memref, as its LLVM struct.
  Value loadMemRef(MemRefType type) {
    Type i64 = b.getI64Type();
    Type pointer = pointers.getType();
    int64_t rank = type.getRank();
    SmallVector<Type> fields = {pointer, pointer, i64};
    if (rank)
      fields.append(2, LLVM::LLVMArrayType::get(i64, rank));
    Value descriptor =
        LLVM::UndefOp::create(b, LLVM::LLVMStructType::getLiteral(b.getContext(), fields));
    auto set = [&](Value value, ArrayRef<int64_t> position) {
      descriptor = LLVM::InsertValueOp::create(b, descriptor, value, position);
    };
    Value base = loadPointer();
    set(base, {0});
    set(base, {1});
    set(LLVM::ConstantOp::create(b, i64, b.getI64IntegerAttr(0)), {2});
    SmallVector<Value> extents;
    for (int64_t i = 0; i < rank; ++i)
      extents.push_back(loadDim());
    Value stride = LLVM::ConstantOp::create(b, i64, b.getI64IntegerAttr(1));
    for (int64_t i = rank; i-- > 0;) {
      set(extents[i], {3, i});
      set(stride, {4, i});
      stride = LLVM::MulOp::create(b, i64, stride, extents[i]);
    }
    return UnrealizedConversionCastOp::create(b, TypeRange(type), ValueRange(descriptor))
        .getResult(0);
  }
  SmallVector<Value> loadAll(ArrayRef<Type> types) {
    SmallVector<Value> values;
    for (Type type : types) {
      if (auto memref = dyn_cast<MemRefType>(type))
        values.push_back(loadMemRef(memref));
      else
        values.push_back(arith::IndexCastOp::create(b, b.getIndexType(), loadDim()));
    }
    return values;
  }
};

/// Adds `@dougong_program_run(ctx, pointers, dims)`, which calls `@kernel_0`,
/// and `@dougong_program_workspace(pointers, dims) -> i64`.
void addEntryPoints(ModuleOp module) {
  auto kernel = module.lookupSymbol<func::FuncOp>("kernel_0");
  auto size = module.lookupSymbol<func::FuncOp>("kernel_0_workspace");
  auto b = ImplicitLocOpBuilder::atBlockEnd(kernel.getLoc(), module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  auto run = func::FuncOp::create(b, "dougong_program_run",
                                  b.getFunctionType({pointer, pointer, pointer}, {}));
  b.setInsertionPointToStart(run.addEntryBlock());
  SmallVector<Value> values = {run.getArgument(0)};
  EntryReader reader{b, run.getArgument(1), run.getArgument(2)};
  values.append(reader.loadAll(kernel.getFunctionType().getInputs().drop_front()));
  func::CallOp::create(b, kernel, values);
  func::ReturnOp::create(b);

  b.setInsertionPointToEnd(module.getBody());
  auto bytes = func::FuncOp::create(b, "dougong_program_workspace",
                                    b.getFunctionType({pointer, pointer}, {b.getI64Type()}));
  b.setInsertionPointToStart(bytes.addEntryBlock());
  Value total = arith::ConstantIndexOp::create(b, 0);
  if (size) {
    EntryReader sizeReader{b, bytes.getArgument(0), bytes.getArgument(1)};
    SmallVector<Value> extents = sizeReader.loadAll(size.getFunctionType().getInputs());
    total = func::CallOp::create(b, size, extents).getResult(0);
  }
  total = arith::IndexCastOp::create(b, b.getI64Type(), total);
  func::ReturnOp::create(b, total);
}

struct Compilation {
  std::unique_ptr<MLIRContext> context;
  OwningOpRef<ModuleOp> module;
};

/// Text to a module with bufferized kernels.
Compilation prepare(const std::string &text, const cpu::CpuOptions &options, std::string &message) {
  DialectRegistry registry;
  cpu::registerCpuTarget(registry);
  Compilation result;
  result.context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  result.context->loadAllAvailableDialects();
  ScopedDiagnosticHandler handler(result.context.get(), [&](Diagnostic &diagnostic) {
    message += diagnostic.str() + "\n";
    return success();
  });
  result.module = parseSourceString<ModuleOp>(text, result.context.get());
  if (!result.module)
    return result;
  PassManager manager(result.context.get());
  if (llvm::Error error = cpu::addCpuKernelPasses(manager, options)) {
    message += llvm::toString(std::move(error));
    result.module = nullptr;
    return result;
  }
  if (getenv("DOUGONG_TEST_PRINT_IR"))
    manager.enableIRPrinting();
  if (failed(manager.run(*result.module)))
    result.module = nullptr;
  return result;
}

[[noreturn]] void die(const std::string &message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(1);
}

} // namespace

std::unique_ptr<KernelRunner>
KernelRunner::compile(const std::string &text, const cpu::CpuOptions &options, std::string *error) {
  std::string message;
  Compilation compilation = prepare(text, options, message);
  auto fail = [&]() -> std::unique_ptr<KernelRunner> {
    if (!error)
      die(message);
    *error = message;
    return nullptr;
  };
  if (!compilation.module)
    return fail();
  addEntryPoints(*compilation.module);
  llvm::SmallString<128> path;
  llvm::sys::fs::createTemporaryFile("kernel", "so", path);
  if (llvm::Error problem = cpu::emitSharedLibrary(*compilation.module, path.str(), options)) {
    message += llvm::toString(std::move(problem));
    return fail();
  }
  std::unique_ptr<KernelRunner> runner(new KernelRunner);
  runner->path = path.str().str();
  if (auto file = llvm::MemoryBuffer::getFile(path))
    runner->bytes = (*file)->getBuffer().str();
  runner->library = dlopen(runner->path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!runner->library) {
    message += dlerror();
    return fail();
  }
  return runner;
}

KernelRunner::~KernelRunner() {
  if (library)
    dlclose(library);
  std::remove(path.c_str());
}

void KernelRunner::run(const std::vector<KernelArgument> &arguments) {
  std::vector<void *> pointers;
  std::vector<int64_t> dims;
  for (const KernelArgument &argument : arguments) {
    if (argument.isIndex) {
      dims.push_back(argument.index);
      continue;
    }
    pointers.push_back(argument.data);
    dims.insert(dims.end(), argument.dims.begin(), argument.dims.end());
  }
  auto size = reinterpret_cast<int64_t (*)(void **, int64_t *)>(
      dlsym(library, "dougong_program_workspace"));
  workspaceBytes = size(pointers.data(), dims.data());
  if (workspace.size() < size_t(workspaceBytes) + 64)
    workspace.resize(workspaceBytes + 64);
  auto address = reinterpret_cast<uintptr_t>(workspace.data());
  pointers.push_back(reinterpret_cast<void *>((address + 63) & ~uintptr_t(63)));
  dims.push_back(workspaceBytes);

  dougong_host host = {};
  host.abi = DOUGONG_PROGRAM_ABI;
  host.struct_size = sizeof(host);
  host.parallel_for = [](const dougong_context *context, dougong_loop_body body, void *argument,
                         int64_t count, int64_t grain) {
    auto *self = static_cast<KernelRunner *>(context->runtime);
    if (self->parallelFor)
      return self->parallelFor(body, argument, count, grain);
    for (int64_t begin = 0; begin < count; begin += grain)
      body(argument, begin, std::min(count, begin + grain));
  };
  dougong_context context = {};
  context.host = &host;
  context.runtime = this;
  auto entry = reinterpret_cast<void (*)(dougong_context *, void **, int64_t *)>(
      dlsym(library, "dougong_program_run"));
  entry(&context, pointers.data(), dims.data());
}

std::string test::compileToAssembly(const std::string &text, const cpu::CpuOptions &options) {
  std::string message;
  Compilation compilation = prepare(text, options, message);
  if (!compilation.module)
    die(message);
  addEntryPoints(*compilation.module);
  llvm::Expected<std::string> assembly = cpu::emitAssembly(*compilation.module, options);
  if (!assembly)
    die(message + llvm::toString(assembly.takeError()));
  return *assembly;
}
