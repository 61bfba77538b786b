// SPDX-License-Identifier: GPL-3.0-or-later
// A home of its own for each test of the window: no setting, run or cache of the user is read or written.
#pragma once

#include "fake_engine.h"
#include "patience.h"

#include <QTemporaryDir>

namespace pha::test {

class TestHome {
public:
    TestHome();
    fs::path path() const;
    fs::path runs() const { return path() / "runs"; }

    /// A run on disk as the engine leaves it after training.
    fs::path train(const std::string& name, std::int64_t steps, FakeOptions options = {}, bool resume = false) const;
    TrainingRequest request(const std::string& name, std::int64_t steps, bool resume = false) const;

private:
    QTemporaryDir dir_;
};

} // namespace pha::test
