// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <QString>

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

/// The measurements of this machine, newest first, kept in one small JSON file. GUI thread only.
class BenchStore {
public:
    explicit BenchStore(fs::path file)
        : file_(std::move(file))
    {
    }
    /// Reads the file. A word if that fails; a damaged file is moved aside, so that nothing of it is overwritten.
    QString load();
    QString add(Measurement measurement); ///< and writes; a word if that fails
    QString remove(int index);
    const std::vector<Measurement>& all() const { return all_; }

    static constexpr std::size_t most = 50; ///< older ones are dropped

private:
    QString write() const;

    fs::path file_;
    std::vector<Measurement> all_;
};

} // namespace pha::ui
