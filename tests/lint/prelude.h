// SPDX-License-Identifier: GPL-3.0-or-later
// What `./dev lint` has Clang read first. LibTorch 1.13 holds vectors of a type within that type, which Clang refuses
// if a vector's members are constexpr, as those of GCC 12's library are in C++20.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

// NOLINTBEGIN(bugprone-reserved-identifier): the library's own names
#pragma push_macro("_GLIBCXX20_CONSTEXPR")
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
#define __fill_a1 __fill_bits // it has been declared as constexpr above
#include <vector>
#undef __fill_a1
#pragma pop_macro("_GLIBCXX20_CONSTEXPR")
// NOLINTEND(bugprone-reserved-identifier)
