// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace pha {

struct TransferLimits {
    double connectSeconds = 20;
    double minimumRate = 1000, minimumSeconds = 30; ///< bytes a second, over so many seconds
    double deadlineSeconds = 3600; ///< of the whole transfer
    bool allowLocalHttp = false; ///< for tests: http to 127.0.0.1
    std::string caFile; ///< for tests: certificates to trust instead of the system's
};

struct HttpRequest {
    std::string address;
    std::uint64_t offset = 0; ///< first byte wanted
    std::string ifRange; ///< ETag that the part we have belongs to
};

/// The head of the final answer, after redirections.
struct HttpHead {
    long status = 0;
    std::optional<std::uint64_t> length; ///< of the body
    std::optional<std::uint64_t> rangeBegin, rangeTotal; ///< Content-Range
    std::string etag, type, encoding;
};

/// The transfer broke or was refused. `again`: another try may go further.
class TransferError : public Error {
public:
    TransferError(const std::string& what, bool again)
        : Error(what, "check the network, or try later")
        , again_(again)
    {
    }
    bool again() const noexcept { return again_; }

private:
    bool again_;
};

/// GET over TLS with certificates checked: https only, also after each redirection; HTTP/1.1; nothing is unpacked.
/// `onHead` is called before the first byte of a 200 or 206 body, `onBody` with the bytes; either may throw, which ends
/// the transfer. `goOn` is asked ten times a second. Returns the head, whatever its status; throws TransferError, and
/// Error if this build has no libcurl or `goOn` said no.
HttpHead httpGet(const HttpRequest& request, const TransferLimits& limits,
    const std::function<void(const HttpHead&)>& onHead, const std::function<void(const char*, std::size_t)>& onBody,
    const std::function<bool()>& goOn);

} // namespace pha
