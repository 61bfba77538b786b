// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/http_transfer.h"

#include "engine/base/text.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

#ifdef PHA_HAS_CURL
#include <curl/curl.h>
#endif

namespace pha {

#ifdef PHA_HAS_CURL

namespace {

using Clock = std::chrono::steady_clock;

/// curl's own rule (CURLOPT_LOW_SPEED_*) sees only whole seconds and forgets: this one holds over the whole window.
class RateGuard {
public:
    RateGuard(double rate, double seconds)
        : rate_(rate)
        , seconds_(seconds)
    {
    }
    void count(std::size_t bytes) { bytes_ += double(bytes); }
    bool tooSlow()
    {
        const double elapsed = std::chrono::duration<double>(Clock::now() - begin_).count();
        if (elapsed < seconds_) return false;
        const bool slow = bytes_ < rate_ * elapsed;
        begin_ = Clock::now();
        bytes_ = 0;
        return slow;
    }

private:
    double rate_, seconds_, bytes_ = 0;
    Clock::time_point begin_ = Clock::now();
};

std::optional<std::uint64_t> parseCount(std::string_view text)
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

class Transfer {
public:
    Transfer(const HttpRequest& request, const TransferLimits& limits,
        const std::function<void(const HttpHead&)>& onHead, const std::function<void(const char*, std::size_t)>& onBody,
        const std::function<bool()>& goOn)
        : request_(request)
        , limits_(limits)
        , onHead_(onHead)
        , onBody_(onBody)
        , goOn_(goOn)
        , guard_(limits.minimumRate, limits.minimumSeconds)
    {
        static const auto started = curl_global_init(CURL_GLOBAL_DEFAULT);
        easy_.reset(started == CURLE_OK ? curl_easy_init() : nullptr);
        multi_.reset(started == CURLE_OK ? curl_multi_init() : nullptr);
        if (!easy_ || !multi_) throw Error("libcurl does not start", "check its installation");
        setOptions();
    }
    ~Transfer() { curl_multi_remove_handle(multi_.get(), easy_.get()); }

    HttpHead run()
    {
        const auto end = Clock::now() + std::chrono::duration<double>(limits_.deadlineSeconds);
        curl_multi_add_handle(multi_.get(), easy_.get());
        for (int running = 1; running > 0;) {
            curl_multi_perform(multi_.get(), &running);
            if (failure_) std::rethrow_exception(failure_);
            throwIfStopped();
            if (running > 0 && guard_.tooSlow())
                throw TransferError(
                    "the server sends less than " + formatBytes(limits_.minimumRate) + " a second", true);
            if (Clock::now() > end) throw TransferError("the download takes too long", true);
            if (running > 0) curl_multi_poll(multi_.get(), nullptr, 0, 100, nullptr);
        }
        int left = 0;
        while (const auto* message = curl_multi_info_read(multi_.get(), &left))
            if (message->msg == CURLMSG_DONE) check(message->data.result);
        return head_;
    }

private:
    struct Close {
        void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };
    struct CloseMulti {
        void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
    };

    void throwIfStopped() const
    {
        if (!goOn_()) throw Error("the download was stopped", "start it again: it goes on from here");
    }

    template <class Value> void set(CURLoption option, Value value)
    {
        if (curl_easy_setopt(easy_.get(), option, value) != CURLE_OK)
            throw Error("this libcurl lacks what a safe download needs", "install a newer libcurl");
    }

    void setOptions()
    {
#if LIBCURL_VERSION_NUM >= 0x075500
        const char* protocols = limits_.allowLocalHttp ? "http,https" : "https";
        set(CURLOPT_PROTOCOLS_STR, protocols);
        set(CURLOPT_REDIR_PROTOCOLS_STR, protocols);
#else
        const long protocols = limits_.allowLocalHttp ? CURLPROTO_HTTP | CURLPROTO_HTTPS : CURLPROTO_HTTPS;
        set(CURLOPT_PROTOCOLS, protocols);
        set(CURLOPT_REDIR_PROTOCOLS, protocols);
#endif
        set(CURLOPT_URL, request_.address.c_str());
        set(CURLOPT_USERAGENT, "pha-studio/" PHA_VERSION);
        set(CURLOPT_FOLLOWLOCATION, 1L);
        set(CURLOPT_MAXREDIRS, 10L);
        set(CURLOPT_HTTP_VERSION, long(CURL_HTTP_VERSION_1_1));
        set(CURLOPT_SSL_VERIFYPEER, 1L);
        set(CURLOPT_SSL_VERIFYHOST, 2L);
        if (!limits_.caFile.empty()) set(CURLOPT_CAINFO, limits_.caFile.c_str());
        set(CURLOPT_CONNECTTIMEOUT_MS, long(std::lround(1000 * limits_.connectSeconds)));
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_ERRORBUFFER, message_);
        set(CURLOPT_HEADERFUNCTION, &Transfer::headerCallback);
        set(CURLOPT_HEADERDATA, this);
        set(CURLOPT_WRITEFUNCTION, &Transfer::bodyCallback);
        set(CURLOPT_WRITEDATA, this);
        if (request_.offset == 0) return;
        const auto range = "Range: bytes=" + std::to_string(request_.offset) + "-";
        headers_.reset(curl_slist_append(nullptr, range.c_str()));
        if (!request_.ifRange.empty()) curl_slist_append(headers_.get(), ("If-Range: " + request_.ifRange).c_str());
        set(CURLOPT_HTTPHEADER, headers_.get());
    }

    /// Exceptions must not pass through C: they wait until curl has returned.
    template <class Work> std::size_t guarded(std::size_t size, Work&& work) noexcept
    {
        try {
            work();
            return size;
        } catch (...) {
            failure_ = std::current_exception();
            return size == 0 ? 1 : 0;
        }
    }
    static std::size_t headerCallback(char* data, std::size_t, std::size_t size, void* self)
    {
        auto& transfer = *static_cast<Transfer*>(self);
        return transfer.guarded(size, [&] { transfer.readHeader({ data, size }); });
    }
    static std::size_t bodyCallback(char* data, std::size_t, std::size_t size, void* self)
    {
        auto& transfer = *static_cast<Transfer*>(self);
        return transfer.guarded(size, [&] {
            transfer.guard_.count(size);
            if (transfer.head_.status != 200 && transfer.head_.status != 206) return; // a page about the error
            if (!std::exchange(transfer.begun_, true)) transfer.onHead_(transfer.head_);
            transfer.onBody_(data, size);
            transfer.throwIfStopped();
        });
    }

    void readHeader(std::string_view line)
    {
        line = trim(line);
        if (line.starts_with("HTTP/")) {
            head_ = {}; // of this answer; there may be some before it
            const auto space = line.find(' ');
            if (space != line.npos) head_.status = long(parseCount(line.substr(space + 1, 3)).value_or(0));
            return;
        }
        const auto colon = line.find(':');
        if (colon == line.npos) return;
        std::string name(line.substr(0, colon));
        for (auto& c : name) c = char(c >= 'A' && c <= 'Z' ? c + 32 : c);
        const auto value = trim(line.substr(colon + 1));
        if (name == "content-length") head_.length = parseCount(value);
        if (name == "etag") head_.etag = value;
        if (name == "content-type") head_.type = value;
        if (name == "content-encoding") head_.encoding = value;
        if (name == "content-range" && value.starts_with("bytes ")) {
            const auto range = value.substr(6);
            head_.rangeBegin = parseCount(range.substr(0, range.find('-')));
            if (const auto slash = range.find('/'); slash != range.npos)
                head_.rangeTotal = parseCount(range.substr(slash + 1));
        }
    }

    void check(CURLcode result)
    {
        if (failure_) std::rethrow_exception(failure_);
        if (result == CURLE_OK) return;
        std::string reason = message_[0] ? message_ : curl_easy_strerror(result);
        std::replace(reason.begin(), reason.end(), '\n', ' ');
        long proxy = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_CONNECTCODE, &proxy);
        if (proxy == 407) throw TransferError("the proxy asks for a password (407)", false);
        if (reason.find("HTTP/0.9") != std::string::npos) throw TransferError("the server does not speak HTTP", false);
        switch (result) {
        case CURLE_UNSUPPORTED_PROTOCOL:
            throw TransferError("the address, or where it leads, is not https (" + reason + ")", false);
        case CURLE_TOO_MANY_REDIRECTS:
            throw TransferError("the server redirects in circles", false);
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
            throw TransferError("the server cannot prove who it is (" + reason + ")", false);
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_CONNECT:
            throw TransferError("the server cannot be reached (" + reason + ")", false);
        default:
            throw TransferError("the connection broke (" + reason + ")", true);
        }
    }

    HttpRequest request_;
    TransferLimits limits_;
    const std::function<void(const HttpHead&)>& onHead_;
    const std::function<void(const char*, std::size_t)>& onBody_;
    const std::function<bool()>& goOn_;
    RateGuard guard_;
    HttpHead head_;
    bool begun_ = false;
    std::exception_ptr failure_;
    char message_[CURL_ERROR_SIZE] = {};
    std::unique_ptr<curl_slist, Close> headers_;
    std::unique_ptr<CURL, Close> easy_;
    std::unique_ptr<CURLM, CloseMulti> multi_;
};

} // namespace

HttpHead httpGet(const HttpRequest& request, const TransferLimits& limits,
    const std::function<void(const HttpHead&)>& onHead, const std::function<void(const char*, std::size_t)>& onBody,
    const std::function<bool()>& goOn)
{
    const bool local = limits.allowLocalHttp && request.address.starts_with("http://127.0.0.1:");
    if (!local && !request.address.starts_with("https://"))
        throw TransferError("the address " + inQuotes(request.address) + " is not https", false);
    return Transfer(request, limits, onHead, onBody, goOn).run();
}

#else

HttpHead httpGet(const HttpRequest&, const TransferLimits&, const std::function<void(const HttpHead&)>&,
    const std::function<void(const char*, std::size_t)>&, const std::function<bool()>&)
{
    throw Error("this build cannot download: it has no libcurl", "place the file by hand");
}

#endif

} // namespace pha
