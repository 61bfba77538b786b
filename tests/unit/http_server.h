// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSslCertificate>
#include <QSslKey>
#include <QSslSocket>
#include <QTcpServer>
#include <QThread>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace pha::test {

/// What a server does with one request.
struct Reply {
    std::string bytes; ///< head and body, sent as they are; then the connection ends
    std::size_t bytesAtOnce = 0; ///< not 0: so many every 5 milliseconds
    bool stall = false; ///< keeps the connection open, and silent, until the server ends
    bool reset = false; ///< ends it with RST
};

/// A server on 127.0.0.1 with a thread of its own that answers one connection after the other, over TLS if it has a
/// certificate.
class HttpServer {
public:
    using Handler = std::function<Reply(const std::string& request)>;
    explicit HttpServer(Handler handler, QByteArray certificate = {}, QByteArray key = {})
        : handler_(std::move(handler))
        , certificate_(std::move(certificate))
        , key_(std::move(key))
    {
        thread_.reset(QThread::create([this] { serve(); }));
        thread_->start();
        ready_.acquire();
    }
    ~HttpServer()
    {
        ended_ = true;
        thread_->wait();
    }
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    std::string address() const
    {
        return (certificate_.isEmpty() ? "http" : "https") + std::string("://127.0.0.1:") + std::to_string(port_.load())
            + "/file.zip";
    }
    bool hasTls() const { return QSslSocket::supportsSsl(); }
    std::vector<std::string> requests() const
    {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    class Listener : public QTcpServer {
    public:
        qintptr descriptor = -1;

    protected:
        void incomingConnection(qintptr socket) override { descriptor = socket; }
    };

    void serve()
    {
        Listener listener;
        listener.listen(QHostAddress::LocalHost, 0);
        port_ = listener.serverPort();
        ready_.release();
        while (!ended_) {
            listener.descriptor = -1;
            if (!listener.waitForNewConnection(20) || listener.descriptor < 0) continue;
            QSslSocket socket;
            socket.setSocketDescriptor(listener.descriptor);
            if (!certificate_.isEmpty()) {
                socket.setLocalCertificate(QSslCertificate(certificate_));
                socket.setPrivateKey(QSslKey(key_, QSsl::Ec));
                socket.startServerEncryption();
                if (!socket.waitForEncrypted(240'000)) continue;
            }
            answer(socket);
        }
    }

    void answer(QSslSocket& socket)
    {
        QByteArray request;
        while (!request.contains("\r\n\r\n") && !ended_) {
            if (socket.bytesAvailable() == 0 && !socket.waitForReadyRead(20)) {
                if (socket.state() != QAbstractSocket::ConnectedState) return;
                continue;
            }
            request += socket.readAll();
        }
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back(request.toStdString());
        }
        const auto reply = handler_(request.toStdString());
        const auto step = reply.bytesAtOnce > 0 ? reply.bytesAtOnce : reply.bytes.size();
        for (std::size_t at = 0; at < reply.bytes.size() && !ended_; at += step) {
            socket.write(reply.bytes.data() + at, qint64(std::min(step, reply.bytes.size() - at)));
            while (socket.bytesToWrite() > 0 && !ended_) {
                if (socket.waitForBytesWritten(20)) continue;
                if (socket.state() != QAbstractSocket::ConnectedState) return;
            }
            if (reply.bytesAtOnce > 0) QThread::msleep(5);
        }
        while (reply.stall && !ended_ && socket.state() == QAbstractSocket::ConnectedState) socket.waitForReadyRead(20);
        if (reply.reset) {
            QThread::msleep(50); // what was sent arrives first
            const linger now { 1, 0 };
            ::setsockopt(int(socket.socketDescriptor()), SOL_SOCKET, SO_LINGER, &now, sizeof now);
            socket.abort();
            return;
        }
        socket.disconnectFromHost();
        if (socket.state() != QAbstractSocket::UnconnectedState) socket.waitForDisconnected(500);
    }

    Handler handler_;
    QByteArray certificate_, key_;
    std::unique_ptr<QThread> thread_;
    std::binary_semaphore ready_ { 0 };
    std::atomic<bool> ended_ { false };
    std::atomic<quint16> port_ { 0 };
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
};

} // namespace pha::test
