// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/connection.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

namespace pha {

namespace {

constexpr char opening[4] = { 'P', 'H', 'A', 1 }; ///< before each message: another program is found out at once
constexpr std::uint32_t longestMessage = 16 << 20;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses lookUp(const NetworkAddress& address, bool toListen)
{
    addrinfo hints {};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = toListen ? AI_PASSIVE : 0;
    addrinfo* found = nullptr;
    const auto* host = address.host.empty() ? nullptr : address.host.c_str();
    if (const int problem = getaddrinfo(host, address.port.c_str(), &hints, &found); problem != 0)
        throw Error(address.text() + ": " + gai_strerror(problem), "check the name and the port of that computer");
    return { found, &freeaddrinfo };
}

std::string numeric(const sockaddr* address, socklen_t length)
{
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
    getnameinfo(address, length, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    return NetworkAddress { host, port }.text();
}

template <class T> void setOption(int socket, int level, int name, T value)
{
    setsockopt(socket, level, name, &value, sizeof value); // what a system does not have is left out
}

/// Small messages leave at once; a computer that has vanished without a word is missed within half a minute.
void prepare(int socket)
{
    setOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    setOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    setOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, 10);
    setOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    setOption(socket, IPPROTO_TCP, TCP_KEEPCNT, 4);
    setOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000u);
}

bool pollFor(int socket, short events, std::chrono::milliseconds patience)
{
    pollfd one { socket, events, 0 };
    return poll(&one, 1, int(patience.count())) > 0;
}

Error lostTo(const std::string& peer, const std::string& why)
{
    return Error("the connection to " + peer + " was lost: " + why,
        "see what that computer says; a run goes on from its last checkpoint with --resume");
}

} // namespace

NetworkAddress NetworkAddress::parse(const std::string& option, const std::string& text, bool hostNeeded)
{
    NetworkAddress address;
    const auto colon = text.rfind(':');
    address.port = colon == std::string::npos ? text : text.substr(colon + 1);
    if (colon != std::string::npos) address.host = text.substr(0, colon);
    const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
    if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
    const auto port = parseNumber(address.port).value_or(-1);
    const bool digits = address.port.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || port < 0 || port > 65535 || (hostNeeded && (address.host.empty() || port == 0))
        || (!bracketed && address.host.find(':') != std::string::npos))
        throw ConfigError(
            option, text, hostNeeded ? "HOST:PORT, as in 10.0.0.2:29400" : "PORT or HOST:PORT, as in 0.0.0.0:29400");
    return address;
}

std::string NetworkAddress::text() const
{
    return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

std::string hostName()
{
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    return name;
}

Connection::Connection(int socket, std::string peer)
    : socket_(socket)
    , peer_(std::move(peer))
{
    prepare(socket_);
}

Connection::Connection(Connection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1))
    , peer_(std::move(other.peer_))
    , quiet_(std::move(other.quiet_))
{
}

Connection& Connection::operator=(Connection&& other) noexcept
{
    std::swap(socket_, other.socket_);
    std::swap(peer_, other.peer_);
    std::swap(quiet_, other.quiet_);
    return *this;
}

Connection::~Connection()
{
    if (socket_ >= 0) ::close(socket_);
}

Connection Connection::open(const NetworkAddress& address, std::chrono::seconds patience, const std::stop_token& stop)
{
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
        std::string why = "no address";
        const auto all = lookUp(address, false);
        for (const auto* one = all.get(); one; one = one->ai_next) {
            const int fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
            if (fd < 0) continue;
            if (connect(fd, one->ai_addr, one->ai_addrlen) == 0) return { fd, address.text() };
            why = std::strerror(errno);
            ::close(fd);
        }
        if (stop.stop_requested()) throw Error("stopped before " + address.text() + " answered", "start it again");
        if (std::chrono::steady_clock::now() >= until)
            throw Error(address.text() + ": " + why, "start the run there first, or check address and firewall");
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
}

void Connection::sendBytes(const void* data, std::size_t size)
{
    const auto* from = static_cast<const char*>(data);
    while (size > 0) {
        const auto sent = ::send(socket_, from, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) throw lostTo(peer_, std::strerror(errno));
        from += sent;
        size -= std::size_t(sent);
    }
}

void Connection::receiveBytes(void* data, std::size_t size)
{
    constexpr std::chrono::milliseconds pause(200);
    auto* to = static_cast<char*>(data);
    while (size > 0) {
        for (auto quiet = pause; quiet_ && !readable(pause); quiet += pause) quiet_(quiet);
        const auto got = ::recv(socket_, to, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) throw lostTo(peer_, "it did not answer in time");
        if (got <= 0) throw lostTo(peer_, got == 0 ? "it was closed there" : std::strerror(errno));
        to += got;
        size -= std::size_t(got);
    }
}

void Connection::send(const Json& message)
{
    const auto text = message.dump(-1, ' ', false, Json::error_handler_t::replace);
    const auto length = std::uint32_t(text.size());
    std::string frame(opening, sizeof opening);
    frame.append(reinterpret_cast<const char*>(&length), sizeof length);
    frame += text;
    sendBytes(frame.data(), frame.size());
}

Json Connection::receive()
{
    char begin[sizeof opening];
    std::uint32_t length = 0;
    receiveBytes(begin, sizeof begin);
    receiveBytes(&length, sizeof length);
    if (std::memcmp(begin, opening, sizeof opening) != 0 || length > longestMessage)
        throw Error(peer_ + " does not speak like this program", "check that it is pha, of the same version");
    std::string text(length, '\0');
    receiveBytes(text.data(), text.size());
    auto message = Json::parse(text, nullptr, false);
    if (!message.is_object())
        throw Error(peer_ + " sent a message that is none", "check that it is pha, of the same version");
    return message;
}

void Connection::waitAtMost(std::chrono::seconds time)
{
    setOption(socket_, SOL_SOCKET, SO_RCVTIMEO, timeval { time.count(), 0 });
}

bool Connection::readable(std::chrono::milliseconds patience) const { return pollFor(socket_, POLLIN, patience); }

bool Connection::lost() const
{
    pollfd one { socket_, POLLRDHUP, 0 };
    return poll(&one, 1, 0) > 0 && (one.revents & (POLLRDHUP | POLLERR | POLLHUP)) != 0;
}

Listener::Listener(const NetworkAddress& address)
{
    std::string why = "no address";
    const auto all = lookUp(address, true);
    for (const auto* one = all.get(); one && socket_ < 0; one = one->ai_next) {
        const int fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
        if (fd < 0) continue;
        setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (bind(fd, one->ai_addr, one->ai_addrlen) == 0 && listen(fd, 64) == 0) {
            socket_ = fd;
        } else {
            why = std::strerror(errno);
            ::close(fd);
        }
    }
    if (socket_ < 0) throw Error("cannot listen at " + address.text() + ": " + why, "take another port or address");
}

Listener::~Listener()
{
    if (socket_ >= 0) ::close(socket_);
}

std::string Listener::port() const
{
    sockaddr_storage own {};
    socklen_t length = sizeof own;
    getsockname(socket_, reinterpret_cast<sockaddr*>(&own), &length);
    char port[NI_MAXSERV] = "?";
    getnameinfo(reinterpret_cast<sockaddr*>(&own), length, nullptr, 0, port, sizeof port, NI_NUMERICSERV);
    return port;
}

std::optional<Connection> Listener::accept(std::chrono::milliseconds patience)
{
    if (!pollFor(socket_, POLLIN, patience)) return {};
    sockaddr_storage other {};
    socklen_t length = sizeof other;
    const int fd = accept4(socket_, reinterpret_cast<sockaddr*>(&other), &length, SOCK_CLOEXEC);
    if (fd < 0) return {}; // it has gone again
    return std::optional<Connection>(std::in_place, fd, numeric(reinterpret_cast<sockaddr*>(&other), length));
}

} // namespace pha
