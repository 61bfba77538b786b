// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "engine/run/capsule.h"

#include <array>

/// The bytes of a capsule, for its writer and its reader.
namespace pha {

inline constexpr std::int64_t tarBlock = 512;
inline constexpr std::int64_t largestCapsuleList = 1 << 20; ///< of capsule.json
inline constexpr auto capsuleListName = "capsule.json";

inline std::int64_t tarPadding(std::int64_t bytes) { return (tarBlock - bytes % tarBlock) % tarBlock; }
/// The header of a regular file (ustar; sizes from 8 GiB on in GNU's form).
std::array<char, tarBlock> tarHeader(const std::string& path, std::int64_t bytes, std::int64_t time);
/// Throws DataError naming `where` unless the header is that of a regular file of that path; returns its size.
std::int64_t readTarHeader(
    const std::array<char, tarBlock>& header, const std::string& path, const std::filesystem::path& where);

/// What to throw of a file that is no sound capsule.
DataError damagedCapsule(const std::filesystem::path& where, const std::string& reason);
Json capsuleToJson(const Capsule& capsule);
/// Throws DataError naming `where`: wrong types, and every path that is not one of a run's own files.
Capsule capsuleFromJson(const Json& json, const std::filesystem::path& where);

} // namespace pha
