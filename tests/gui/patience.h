// SPDX-License-Identifier: GPL-3.0-or-later
// How long the tests of the window wait for what has to come. Qt Test's 5 seconds are too few for a busy machine or a
// sanitizer; only a test that fails waits for all of a minute.
#pragma once

#include <QTest>

namespace pha::test {

inline constexpr int patience = 60'000; // milliseconds

} // namespace pha::test

#undef QTRY_VERIFY
#define QTRY_VERIFY(expr) QTRY_VERIFY_WITH_TIMEOUT(expr, pha::test::patience)
#undef QTRY_COMPARE
#define QTRY_COMPARE(expr, expected) QTRY_COMPARE_WITH_TIMEOUT(expr, expected, pha::test::patience)
