// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/stop_signals.h"
#include "tests/suite.h"
#include "ui/work/worker_thread.h"

#include <QtTest>

#include <algorithm>
#include <chrono>
#include <future>
#include <new>
#include <stdexcept>
#include <thread>

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

    /// A handler in the middle of a matrix product would break what it computes.
    void stopSignalsAreHandledElsewhere()
    {
        const auto masked = [] {
            sigset_t set;
            pthread_sigmask(SIG_BLOCK, nullptr, &set);
            return std::ranges::all_of(stopSignals, [&](int number) { return sigismember(&set, number) == 1; });
        };
        QVERIFY(!masked()); // the window's own thread has to take them
        std::promise<bool> task, startedByIt;
        ui::WorkerThread worker;
        worker.post([&] {
            task.set_value(masked());
            std::thread([&] { startedByIt.set_value(masked()); }).join();
        });
        QVERIFY(task.get_future().get());
        QVERIFY(startedByIt.get_future().get());
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
