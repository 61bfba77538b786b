// SPDX-License-Identifier: GPL-3.0-or-later
// The tests of a folder are one program, which runs one file of them: unit_tests alerts_test [OPTION OF QtTest]...
#pragma once

#include <QObject>

#include <memory>

namespace pha::test {

/// Makes a file's tests known by its name without folder and ending. Returns true.
bool addTests(const char* file, std::unique_ptr<QObject> (*make)());

} // namespace pha::test

#define PHA_TEST(Class)                                                                                                \
    namespace {                                                                                                        \
    const bool known##Class =                                                                                          \
        pha::test::addTests(__FILE__, []() -> std::unique_ptr<QObject> { return std::make_unique<Class>(); });         \
    }
