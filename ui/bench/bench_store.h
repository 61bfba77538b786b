// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <QString>

#include <functional>
#include <vector>

namespace pha::ui {

/// What one press of the button measured, and on what.
struct Measurement {
    QString when; ///< ISO 8601, UTC
    QString machine; ///< "LibTorch 1.13.1, AVX512, 2 threads"
    std::vector<BenchRow> rows;
    bool disturbed = false; ///< something trained meanwhile
    QString title() const; ///< "2026-01-05 12:30 · train · 8 rows"
    QString csv() const;
};

/// The measurements of this machine, newest first, kept in one small JSON file, which another window may change too.
/// GUI thread only.
class BenchStore {
public:
    explicit BenchStore(fs::path file)
        : file_(std::move(file))
    {
    }
    /// Reads the file. A word if that fails; a damaged file is moved aside, so that nothing of it is overwritten.
    QString load();
    QString add(const Measurement& measurement); ///< and writes; a word if that fails
    QString remove(int index);
    const std::vector<Measurement>& all() const { return all_; }

    static constexpr std::size_t most = 50; ///< older ones are dropped

private:
    QString read(); ///< into `all_`, those that are not in the file in front
    QString change(const std::function<void()>& edit); ///< of what the file holds by now
    void write() const; ///< throws Error

    fs::path file_;
    std::vector<Measurement> all_, unwritten_; ///< unwritten_: could not be kept so far
};

} // namespace pha::ui
