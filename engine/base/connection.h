// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

namespace pha {

/// Where a program listens: "name:29400", "10.0.0.2:29400", "[fe80::1]:29400".
struct NetworkAddress {
    std::string host; ///< empty: every address of this computer
    std::string port;
    /// Without a host, "29400" or ":29400", if that is allowed. Throws ConfigError naming `option`.
    static NetworkAddress parse(const std::string& option, const std::string& text, bool hostNeeded);
    std::string text() const;
};

std::string hostName(); ///< of this computer

/// A TCP connection that carries messages, and bytes whose number both ends know. Throws Error once it is lost.
class Connection {
public:
    /// Tries again for as long as `patience` while nobody listens there. Throws Error, also when stopped.
    static Connection open(
        const NetworkAddress& address, std::chrono::seconds patience, const std::stop_token& stop = {});
    Connection(int socket, std::string peer); ///< takes the socket
    Connection(Connection&& other) noexcept;
    Connection& operator=(Connection&& other) noexcept;
    ~Connection();

    void send(const Json& message);
    Json receive(); ///< at most 16 MiB of text
    void sendBytes(const void* data, std::size_t size);
    void receiveBytes(void* data, std::size_t size);
    /// receive() gives up after so long without a byte; zero: never.
    void waitAtMost(std::chrono::seconds time);
    /// Called all the while that receive() and receiveBytes() wait, with how long nothing has come. It may throw: what
    /// was to come is given up then, and so is all that comes later.
    using WhileQuiet = std::function<void(std::chrono::milliseconds)>;
    void whileQuiet(WhileQuiet heed) { quiet_ = std::move(heed); }
    bool readable(std::chrono::milliseconds patience) const; ///< something has come, or the connection is lost
    bool lost() const; ///< the other end has gone; does not wait
    const std::string& peer() const { return peer_; } ///< "10.0.0.2:51234", or its name once that is known
    void rename(std::string name) { peer_ = std::move(name); }

private:
    int socket_ = -1;
    std::string peer_;
    WhileQuiet quiet_;
};

/// Takes connections.
class Listener {
public:
    explicit Listener(const NetworkAddress& address); ///< port 0: a free one. Throws Error
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    std::string port() const;
    std::optional<Connection> accept(std::chrono::milliseconds patience);

private:
    int socket_ = -1;
};

} // namespace pha
