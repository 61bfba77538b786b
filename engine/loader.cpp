// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/engine.h"

#include <dlfcn.h>

#include <mutex>

namespace pha {

namespace {

/// The engine library lies beside this one, in the build tree and when installed.
fs::path enginePath()
{
    Dl_info here {};
    if (dladdr(reinterpret_cast<void*>(&enginePath), &here) == 0 || !here.dli_fname) return "libpha_engine.so";
    return fs::path(here.dli_fname).parent_path() / "libpha_engine.so";
}

} // namespace

Engine& loadEngine()
{
    static std::mutex mutex;
    static Engine* engine = nullptr; // never unloaded: LibTorch does not survive dlclose
    const std::lock_guard lock(mutex);
    if (engine) return *engine;
    const auto path = enginePath();
    // RTLD_LOCAL: LibTorch of some distributions brings its own Qt 5, whose symbols must not meet ours.
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char* reason = dlerror();
        throw Error(path.string() + " cannot be opened: " + (reason ? reason : "unknown reason"),
            "reinstall PHA Studio or LibTorch");
    }
    using Create = Engine* (*)();
    const auto create = reinterpret_cast<Create>(dlsym(library, "pha_create_engine"));
    if (!create) throw Error(path.string() + " is not PHA Studio's engine", "reinstall PHA Studio");
    engine = create();
    return *engine;
}

} // namespace pha
