// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/sha256.h"
#include "tests/suite.h"

#include <QTest>

using namespace pha;

class Sha256Test : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void vectors_data();
    void vectors();
    void pieces();
    void bothImplementations();
};

void Sha256Test::vectors_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QByteArray>("digest");
    // FIPS 180-4 and NIST CAVP.
    QTest::newRow("empty") << QByteArray()
                           << QByteArray("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    QTest::newRow("abc") << QByteArray("abc")
                         << QByteArray("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    QTest::newRow("448 bits") << QByteArray("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                              << QByteArray("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    QTest::newRow("896 bits") << QByteArray("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjk"
                                            "lmnopqklmnopqrlmnopqrsmnopqrstnopqrstu")
                              << QByteArray("cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    QTest::newRow("one byte") << QByteArray("\xbd")
                              << QByteArray("68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
    QTest::newRow("four bytes") << QByteArray("\xc9\x8c\x8e\x55")
                                << QByteArray("7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504");
    QTest::newRow("million") << QByteArray(1000000, 'a')
                             << QByteArray("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

void Sha256Test::vectors()
{
    QFETCH(QByteArray, text);
    QFETCH(QByteArray, digest);
    QCOMPARE(QByteArray::fromStdString(sha256Hex(text.toStdString())), digest);
    Sha256 portable;
    portable.usePortable();
    portable.update(text.toStdString());
    QCOMPARE(QByteArray::fromStdString(portable.hex()), digest);
}

void Sha256Test::pieces()
{
    const std::string text(1000, 'x');
    const auto whole = sha256Hex(text);
    for (std::size_t piece = 1; piece <= 200; ++piece) {
        Sha256 hash;
        for (std::size_t at = 0; at < text.size(); at += piece) hash.update(std::string_view(text).substr(at, piece));
        QCOMPARE(hash.hex(), whole);
    }
}

void Sha256Test::bothImplementations()
{
    std::string text;
    for (int length = 0; length < 400; ++length) {
        Sha256 portable;
        portable.usePortable();
        portable.update(text);
        QCOMPARE(sha256Hex(text), portable.hex());
        text += char(length * 37 + 11);
    }
}

PHA_TEST(Sha256Test)
#include "sha256_test.moc"
