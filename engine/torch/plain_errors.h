// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"

#include <c10/util/Exception.h>

#include <string>

namespace pha {

/// LibTorch's messages carry a stack trace of two kilobytes; people get its first line.
template <class Work> auto withPlainErrors(Work&& work)
{
    try {
        return work();
    } catch (const c10::Error& error) {
        std::string what = error.what_without_backtrace();
        if (what.find("not enough memory") != std::string::npos || what.find("out of memory") != std::string::npos)
            throw Error("there is not enough memory for this batch", "lower batch_size or context");
        throw Error("LibTorch: " + what.substr(0, what.find('\n')), "please report this with the run's run.json");
    }
}

} // namespace pha
