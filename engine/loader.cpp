// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/address_space.h"
#include "engine/base/error.h"
#include "engine/base/library.h"
#include "engine/data/piece_library.h"
#include "engine/engine.h"

#include <dlfcn.h>

#include <cstdlib>

namespace pha {

namespace {

/// Our libraries lie side by side, in the build tree and when installed.
fs::path libraryFolder()
{
    Dl_info here {};
    if (dladdr(reinterpret_cast<void*>(&openPart), &here) == 0 || !here.dli_fname) return {};
    return fs::path(here.dli_fname).parent_path();
}

/// Debian and Ubuntu build OpenBLAS twice: with threads of its own, which is the default, and with those of OpenMP,
/// which LibTorch uses too. Two pools on the same cores spin against each other (tests/bench/README.md has the ratio).
/// Where both are installed the OpenMP build is opened first, and LibTorch, which asks for libblas.so.3, gets what is
/// open already.
void preferSharedThreads()
{
    if (std::getenv("LD_LIBRARY_PATH") || std::getenv("LD_PRELOAD")) return; // the user has chosen
    std::error_code none;
    for (const auto& folder : fs::directory_iterator("/usr/lib", none)) {
        const auto shared = folder.path() / "openblas-openmp" / "libblas.so.3";
        if (!fs::exists(shared, none)) continue;
        const auto chosen = fs::canonical(folder.path() / "libblas.so.3", none);
        if (chosen.string().find("openblas-pthread") != std::string::npos)
            dlopen(shared.c_str(), RTLD_NOW | RTLD_LOCAL);
    }
}

/// Debian's LibTorch is linked with OpenCV and 280 libraries behind it. Opened together each looks for its symbols in
/// all of them; opened before, in those that it needs itself. What cannot be opened alone is left to LibTorch.
void openWhatTorchNeeds()
{
#ifdef PHA_TORCH_NEEDS
    for (const auto* library : { PHA_TORCH_NEEDS }) dlopen(library, RTLD_NOW | RTLD_LOCAL);
#endif
}

} // namespace

void keepSignals()
{
    // UCX, which Debian 13's LibTorch is linked with, would take SIGHUP and crashes for a debugger of its own. Whoever
    // wants that says so in the same variables.
    setenv("UCX_DEBUG_SIGNO", "0", 0);
    setenv("UCX_HANDLE_ERRORS", "none", 0);
}

void* openPart(const std::string& file, const char* factory, [[maybe_unused]] bool ownSymbolsFirst)
{
    const auto path = libraryFolder() / file;
    // Local symbols: LibTorch of some distributions brings its own Qt 5 and protobuf, which must not meet ours.
    int flags = RTLD_NOW | RTLD_LOCAL;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (ownSymbolsFirst) flags |= RTLD_DEEPBIND; // sanitizers cannot work with it
#endif
    void* library = dlopen(path.c_str(), flags);
    if (!library) {
        const char* reason = dlerror();
        throw Error(path.string() + " cannot be opened: " + (reason ? reason : "unknown reason"),
            "reinstall PHA Studio or LibTorch");
    }
    const auto create = reinterpret_cast<void* (*)()>(dlsym(library, factory));
    if (!create) throw Error(path.string() + " is not a part of PHA Studio", "reinstall PHA Studio");
    return create();
}

// A magic static opens each part once; a failure leaves it unopened, and the next call tries again.
Engine& loadEngine()
{
    static auto* engine = [] {
        requireLibraryRoom();
        preferSharedThreads();
        openWhatTorchNeeds();
        return static_cast<Engine*>(openPart("libpha_engine.so", "pha_create_engine", false));
    }();
    return *engine;
}

PieceLibrary& pieceLibrary()
{
    static auto* library =
        static_cast<PieceLibrary*>(openPart("libpha_sentencepiece.so", "pha_create_piece_library", true));
    return *library;
}

} // namespace pha
