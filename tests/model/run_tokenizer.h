// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace pha::test {

/// The tokenizer of runs in the process of a test. Under a sanitizer nothing keeps sentencepiece's protobuf apart from
/// LibTorch's (openPart() in engine/loader.cpp); the e2e tests, where pha trains, have the other tokenizers there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr const char* runTokenizer = "bytes";
#else
inline constexpr const char* runTokenizer = "auto";
#endif

} // namespace pha::test
