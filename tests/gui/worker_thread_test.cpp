// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "tests/suite.h"
#include "ui/worker_thread.h"

#include <QtTest>

#include <chrono>
#include <future>
#include <new>
#include <stdexcept>

using namespace pha;

class WorkerThreadTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void whatItsEndWasLikeIsRemembered()
    {
        using namespace std::chrono_literals;
        ui::WorkerThread idle, hanging;
        QVERIFY(!idle.down());
        QVERIFY(idle.end(1h));
        QVERIFY(idle.down());
        QVERIFY(idle.end(0ms));

        std::promise<void> release;
        hanging.post([gate = release.get_future().share()] { gate.wait(); });
        QVERIFY(!hanging.end(0ms));
        QVERIFY(hanging.down());
        QVERIFY(!hanging.end(1h));
        release.set_value();
    }

    void whateverATaskThrowsIsOneLine()
    {
        QCOMPARE(ui::failureOf([] {}), QString());
        QCOMPARE(ui::failureOf([] { throw Error("it broke", "mend it"); }), QStringLiteral("it broke; mend it"));
        QCOMPARE(
            ui::failureOf([] { throw std::bad_alloc(); }, QStringLiteral("too large")), QStringLiteral("too large"));
        QVERIFY(ui::failureOf([] { throw std::bad_alloc(); }).contains(QStringLiteral("memory")));
        QVERIFY(ui::failureOf([] { throw 7; }).contains(QStringLiteral("try again")));
        QVERIFY(ui::failureOf([] { throw std::runtime_error(""); }).contains(QStringLiteral("try again")));
    }
};

PHA_TEST(WorkerThreadTest)
#include "worker_thread_test.moc"
