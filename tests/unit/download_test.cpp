// SPDX-License-Identifier: GPL-3.0-or-later
// Downloads from servers that stall, cut, lie and redirect: the final name appears only with the right content.
#include "engine/base/atomic_file.h"
#include "engine/base/json.h"
#include "engine/base/posix_file.h"
#include "engine/base/sha256.h"
#include "engine/data/download.h"
#include "tests/suite.h"
#include "tests/unit/certificates.h"
#include "tests/unit/http_server.h"

#include <QTemporaryDir>
#include <QTest>

#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>

using namespace pha;
using test::HttpServer;
using test::Reply;
namespace fs = std::filesystem;

namespace {

class Watcher : public EventSink {
public:
    void publish(const Event& event) override
    {
        if (const auto* progress = std::get_if<ProgressEvent>(&event))
            if (progress->done >= stopAt && stopAt > 0) source.request_stop();
    }
    double stopAt = 0;
    std::stop_source source;
};

int refuseWrites(const char* operation, const fs::path& path)
{
    return std::string(operation) == "write" && path.extension() == ".part" ? ENOSPC : 0;
}

std::string head(std::size_t length, const std::string& more = "")
{
    return "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: " + std::to_string(length) + "\r\n"
        + more + "\r\n";
}

} // namespace

class DownloadTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        QVERIFY(home_.isValid());
        for (int i = 0; content_.size() < 300'000; ++i) content_ += std::to_string(i * i) + "\n";
        limits_.allowLocalHttp = true;
        // Only the tests of a limit meet it: a busy machine may need long for what takes a millisecond.
        limits_.connectSeconds = limits_.minimumSeconds = limits_.deadlineSeconds = 240;
        std::ofstream(path("ca.pem")) << certificates::authority;
        for (const char* name :
            { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY" })
            qunsetenv(name);
    }
    void init() { fs::remove_all(path("get")); }

    void plain()
    {
        HttpServer server([&](const std::string&) { return Reply { head(content_.size()) + content_ }; });
        const auto result = get(server.address());
        QVERIFY(result.verified && !result.wasThere);
        QCOMPARE(readFile(file()), content_);
        // What is there is checked, not fetched.
        QVERIFY(get(server.address()).wasThere);
        QCOMPARE(server.requests().size(), std::size_t(1));
        std::ofstream(file()) << "something else";
        failure(server.address(), "is not the file of the catalogue");
        QCOMPARE(readFile(file()), std::string("something else"));
    }

    void refusals_data()
    {
        QTest::addColumn<QByteArray>("answer");
        QTest::addColumn<QString>("expected");
        QTest::addColumn<bool>("kept"); // something to go on from
        const auto bytes = [](const std::string& text) { return QByteArray::fromStdString(text); };
        const auto half = content_.substr(0, content_.size() / 2);
        const auto chunked = std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n") + half;
        QTest::newRow("cut with a length") << bytes(head(content_.size()) + half) << "" << true;
        QTest::newRow("cut without a length") << bytes("HTTP/1.1 200 OK\r\n\r\n" + half) << "ended after" << true;
        QTest::newRow("chunk cut") << bytes(chunked) << "" << true;
        QTest::newRow("ten times the size") << bytes(head(10 * content_.size()) + content_) << "instead of" << false;
        QTest::newRow("more than it says")
            << bytes("HTTP/1.1 200 OK\r\n\r\n" + content_ + "more") << "sends more" << false;
        auto wrong = content_;
        wrong[1000] ^= 1;
        QTest::newRow("wrong content") << bytes(head(wrong.size()) + wrong) << "SHA-256" << false;
        QTest::newRow("login page") << bytes("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=x\r\n\r\n<html>")
                                    << "web page" << false;
        QTest::newRow("gzip bomb") << bytes(head(content_.size(), "Content-Encoding: gzip\r\n") + content_) << "packed"
                                   << false;
        QTest::newRow("not found") << bytes("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno") << "404" << false;
        QTest::newRow("range refused") << bytes("HTTP/1.1 416 Range\r\nContent-Length: 0\r\n\r\n") << "416" << false;
        QTest::newRow("no HTTP") << bytes("SSH-2.0-OpenSSH_9.2\r\n") << "does not speak HTTP" << false;
        QTest::newRow("nothing") << bytes("") << "connection broke" << false;
        QTest::newRow("to a file") << bytes("HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n") << "not https"
                                   << false;
        QTest::newRow("in circles") << bytes("HTTP/1.1 301 x\r\nConnection: close\r\nLocation: /again\r\n\r\n")
                                    << "circles" << false;
    }
    void refusals()
    {
        QFETCH(QByteArray, answer);
        QFETCH(QString, expected);
        QFETCH(bool, kept);
        HttpServer server([&](const std::string&) { return Reply { answer.toStdString() }; });
        failure(server.address(), expected);
        QVERIFY(!fs::exists(file()));
        QCOMPARE(fs::exists(part()), kept);
    }

    void resetMidBody()
    {
        HttpServer server([&](const std::string&) {
            Reply reply { head(content_.size()) + content_.substr(0, 100'000) };
            reply.reset = true;
            return reply;
        });
        failure(server.address(), "connection");
        QVERIFY(!fs::exists(file()));
    }

    void stall()
    {
        HttpServer server([&](const std::string&) {
            Reply reply { head(content_.size()) + content_.substr(0, 5000) };
            reply.stall = true;
            return reply;
        });
        failure(server.address(), "less than", impatient());
    }

    void drip()
    {
        HttpServer server([&](const std::string&) {
            Reply reply { head(content_.size()) + content_ };
            reply.bytesAtOnce = 1;
            return reply;
        });
        failure(server.address(), "less than", impatient());
    }

    void deadline()
    {
        HttpServer server([&](const std::string&) {
            Reply reply { head(content_.size()) + content_ };
            reply.bytesAtOnce = 400;
            return reply;
        });
        auto limits = limits_;
        limits.deadlineSeconds = 0.5;
        failure(server.address(), "takes too long", limits);
    }

    /// A part goes on where it ends, if the server agrees that it is the same file.
    void goesOn()
    {
        HttpServer server([&](const std::string& request) { return ranged(request, "\"one\""); });
        Watcher watcher;
        watcher.stopAt = 100'000;
        QVERIFY_THROWS_EXCEPTION(Error, get(server.address(), watcher, watcher.source.get_token()));
        const auto had = fs::file_size(part());
        QVERIFY(had >= 100'000 && had < content_.size());
        QVERIFY(get(server.address()).verified);
        QCOMPARE(readFile(file()), content_);
        const auto second = QString::fromStdString(server.requests().back());
        QVERIFY2(second.contains("Range: bytes=" + QString::number(had) + "-"), qPrintable(second));
        QVERIFY(second.contains("If-Range: \"one\""));
        QVERIFY(!fs::exists(part()) && !fs::exists(part() + ".json"));
    }

    void stoppedAtTheEnd()
    {
        HttpServer server([&](const std::string& request) { return ranged(request, "\"one\""); });
        Watcher watcher;
        watcher.stopAt = double(content_.size()) * 0.99;
        try {
            get(server.address(), watcher, watcher.source.get_token());
        } catch (const Error&) {
            QVERIFY(!fs::exists(file()));
        }
        QVERIFY(get(server.address()).verified);
    }

    void changedMeanwhile()
    {
        int asked = 0;
        HttpServer server(
            [&](const std::string& request) { return ranged(request, ++asked == 1 ? "\"one\"" : "\"two\""); });
        Watcher watcher;
        watcher.stopAt = 100'000;
        QVERIFY_THROWS_EXCEPTION(Error, get(server.address(), watcher, watcher.source.get_token()));
        QVERIFY(get(server.address()).verified); // 206 with another ETag: from the beginning
        QCOMPARE(readFile(file()), content_);
    }

    void serverWithoutRanges()
    {
        HttpServer server(
            [&](const std::string&) { return Reply { head(content_.size(), "ETag: \"x\"\r\n") + content_ }; });
        Watcher watcher;
        watcher.stopAt = 100'000;
        QVERIFY_THROWS_EXCEPTION(Error, get(server.address(), watcher, watcher.source.get_token()));
        QVERIFY(get(server.address()).verified);
    }

    /// A part that nobody vouches for: the checksum finds out, and the next call is clean.
    void damagedPart()
    {
        HttpServer server([&](const std::string& request) { return ranged(request, "\"one\""); });
        fs::create_directories(path("get"));
        std::ofstream(part()) << std::string(5000, 'x');
        std::ofstream(part() + ".json") << Json { { "address", server.address() }, { "etag", "\"one\"" } };
        failure(server.address(), "SHA-256");
        QVERIFY(get(server.address()).verified);
    }

    void diskFull()
    {
        HttpServer server([&](const std::string& request) { return ranged(request, "\"one\""); });
        faultHook = refuseWrites;
        failure(server.address(), "No space left");
        faultHook = nullptr;
        QVERIFY(!fs::exists(file()));
        QVERIFY(get(server.address()).verified);
    }

    void nextAddress()
    {
        HttpServer gone([&](const std::string&) { return Reply { "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n" }; });
        HttpServer server([&](const std::string&) { return Reply { head(content_.size()) + content_ }; });
        auto entry = entryFor(gone.address());
        entry.addresses.push_back(server.address());
        QVERIFY(download(entry, file(), limits_, silent_, {}).verified);
    }

    void unverified()
    {
        HttpServer server([&](const std::string&) { return Reply { head(content_.size()) + content_ }; });
        auto entry = entryFor(server.address());
        entry.sha256.clear();
        entry.bytes = 0;
        const auto result = download(entry, file(), limits_, silent_, {});
        QVERIFY(!result.verified);
        QCOMPARE(result.sha256, sha256Hex(content_));
        fs::remove_all(path("get"));
        HttpServer endless([&](const std::string&) { return Reply { "HTTP/1.1 200 OK\r\n\r\n" + content_ }; });
        entry.addresses = { endless.address() };
        QVERIFY_THROWS_EXCEPTION(Error, download(entry, file(), limits_, silent_, {}));
    }

    void onlyHttps()
    {
        failure("http://example.org/x.zip", "not https");
        failure("file:///etc/passwd", "not https");
        failure("ftp://127.0.0.1/x", "not https");
        failure("https://no-such-host.invalid/x", "cannot be reached");
    }

    void certificates_data()
    {
        QTest::addColumn<QByteArray>("certificate");
        QTest::addColumn<QByteArray>("key");
        QTest::addColumn<bool>("trusted");
        QTest::newRow("good") << QByteArray(certificates::good) << QByteArray(certificates::goodKey) << true;
        QTest::newRow("expired") << QByteArray(certificates::expired) << QByteArray(certificates::expiredKey) << false;
        QTest::newRow("wrong host") << QByteArray(certificates::otherHost) << QByteArray(certificates::otherHostKey)
                                    << false;
        QTest::newRow("self-signed") << QByteArray(certificates::selfSigned) << QByteArray(certificates::selfSignedKey)
                                     << false;
    }
    void certificates()
    {
        QFETCH(QByteArray, certificate);
        QFETCH(QByteArray, key);
        QFETCH(bool, trusted);
        HttpServer server(
            [&](const std::string&) { return Reply { head(content_.size()) + content_ }; }, certificate, key);
        if (!server.hasTls()) QSKIP("this Qt has no TLS");
        auto limits = limits_;
        limits.allowLocalHttp = false;
        limits.caFile = path("ca.pem");
        if (trusted)
            QVERIFY(download(entryFor(server.address()), file(), limits, silent_, {}).verified);
        else
            failure(server.address(), "cannot prove who it is", limits);
        QCOMPARE(fs::exists(file()), trusted);
    }

    void downgrade()
    {
        HttpServer plain([&](const std::string&) { return Reply { head(content_.size()) + content_ }; });
        HttpServer server(
            [&](const std::string&) {
                return Reply { "HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: " + plain.address() + "\r\n\r\n" };
            },
            certificates::good, certificates::goodKey);
        if (!server.hasTls()) QSKIP("this Qt has no TLS");
        auto limits = limits_;
        limits.allowLocalHttp = false;
        limits.caFile = path("ca.pem");
        failure(server.address(), "not https", limits);
        QVERIFY(plain.requests().empty());
    }

    void proxyWithAPassword()
    {
        HttpServer proxy([&](const std::string&) {
            return Reply { "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n" };
        });
        qputenv("https_proxy", QByteArray::fromStdString(proxy.address()));
        failure("https://example.org/x.zip", "407");
        qunsetenv("https_proxy");
    }

    void theCatalogueItself()
    {
        QVERIFY(catalogue().size() >= 3);
        for (const auto& entry : catalogue()) {
            for (const auto& address : entry.addresses) QVERIFY(address.starts_with("https://"));
            QVERIFY(!entry.licence.empty() && entry.bytes > 0 && entry.sha256.size() == 64);
        }
        for (const char* text : { "", "[]", "{}", R"({"datasets": 5})", R"({"datasets": [{"name": "x"}]})" })
            QVERIFY_THROWS_EXCEPTION(DataError, parseCatalogue(text, "x"));
        const auto entry = [](const char* name, const char* sha) {
            return std::string(R"({"datasets": [{"name": ")") + name
                + R"(", "title": "", "about": "", "licence": "", "homepage": "", "file": "f", "addresses": ["a"], "sha256": ")"
                + sha + "\"}]}";
        };
        QCOMPARE(parseCatalogue(entry("fine", ""), "x").size(), std::size_t(1));
        QVERIFY_THROWS_EXCEPTION(DataError, parseCatalogue(entry("../up", ""), "x"));
        QVERIFY_THROWS_EXCEPTION(DataError, parseCatalogue(entry("fine", "12"), "x"));
    }

    void whatAnUnfinishedDownloadLeftCanBeRemoved()
    {
        qputenv("XDG_DATA_HOME", home_.path().toUtf8());
        CatalogueEntry entry { "left", "", "", "", "", "left.zip", 0, "", { "https://127.0.0.1/left.zip" } };
        discardDownload(entry); // nothing is there, which is fine
        const auto folder = catalogueFile(entry).parent_path();
        fs::create_directories(folder);
        for (const char* name : { "left.zip", "left.zip.part", "left.zip.part.json" })
            std::ofstream(folder / name) << "x";
        {
            const PosixFile lock(folder / ".lock", O_RDWR | O_CREAT);
            QCOMPARE(::flock(lock.descriptor(), LOCK_EX), 0);
            QVERIFY_EXCEPTION_THROWN(discardDownload(entry), DataError);
        }
        discardDownload(entry);
        QVERIFY(fs::exists(folder / "left.zip"));
        QVERIFY(!fs::exists(folder / "left.zip.part") && !fs::exists(folder / "left.zip.part.json"));
    }

private:
    std::string path(const std::string& name) const
    {
        return home_.filePath(QString::fromStdString(name)).toStdString();
    }
    std::string file() const { return path("get/file.zip"); }
    std::string part() const { return file() + ".part"; }
    CatalogueEntry entryFor(const std::string& address) const
    {
        return { "thing", "Thing", "", "CC0", "", "file.zip", std::int64_t(content_.size()), sha256Hex(content_),
            { address } };
    }
    DownloadResult get(const std::string& address) { return download(entryFor(address), file(), limits_, silent_, {}); }
    DownloadResult get(const std::string& address, EventSink& sink, const std::stop_token& stop)
    {
        return download(entryFor(address), file(), limits_, sink, stop);
    }
    TransferLimits impatient() const
    {
        auto limits = limits_;
        limits.minimumSeconds = 0.4;
        return limits;
    }
    void failure(const std::string& address, const QString& expected) { failure(address, expected, limits_); }
    void failure(const std::string& address, const QString& expected, const TransferLimits& limits)
    {
        try {
            download(entryFor(address), file(), limits, silent_, {});
            QFAIL("accepted");
        } catch (const Error& error) {
            QVERIFY2(QString(error.what()).contains(expected), error.what());
            QVERIFY(!QString(error.what()).contains('\n'));
        }
    }
    /// Honours "Range: bytes=N-" whatever If-Range says, a little at a time.
    Reply ranged(const std::string& request, const std::string& etag) const
    {
        const auto at = request.find("Range: bytes=");
        const auto begin = at == std::string::npos ? 0 : std::stoul(request.substr(at + 13));
        const auto rest = content_.substr(std::min<std::size_t>(begin, content_.size()));
        const auto size = std::to_string(content_.size());
        Reply reply { head(rest.size(), "ETag: " + etag + "\r\n") + rest };
        if (at != std::string::npos)
            reply.bytes = "HTTP/1.1 206 Partial\r\nETag: " + etag + "\r\nContent-Length: " + std::to_string(rest.size())
                + "\r\nContent-Range: bytes " + std::to_string(begin) + "-" + std::to_string(content_.size() - 1) + "/"
                + size + "\r\n\r\n" + rest;
        reply.bytesAtOnce = 20'000;
        return reply;
    }

    QTemporaryDir home_;
    std::string content_;
    TransferLimits limits_;
    Watcher silent_;
};

PHA_TEST(DownloadTest)
#include "download_test.moc"
