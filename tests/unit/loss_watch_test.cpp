// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/loss_watch.h"
#include "tests/suite.h"

#include <QtTest>

#include <cmath>
#include <vector>

using namespace pha;

namespace {
/// A falling curve with the noise of batches.
double lossAt(int step)
{
    return 4 + 4 * std::exp(-step / 60.0) + 0.1 * std::sin(step * 12.9898) * std::cos(step * 78.233);
}
} // namespace

class LossWatchTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void anOrdinaryCurveIsQuiet()
    {
        LossWatch watch;
        for (int step = 0; step < 2000; ++step) QVERIFY2(!watch.observe(lossAt(step)), std::to_string(step).c_str());
    }

    void aSpikeIsReportedOnce()
    {
        LossWatch watch;
        int reports = 0;
        for (int step = 0; step < 800; ++step) {
            const bool spike = step >= 600 && step < 605;
            const auto found = watch.observe(lossAt(step) + (spike ? 2 : 0));
            if (!found) continue;
            ++reports;
            QCOMPARE(step, 600);
            QVERIFY(found->deviations > 8);
            QVERIFY(std::abs(found->median - lossAt(step)) < 0.5);
        }
        QCOMPARE(reports, 1);
        QVERIFY(watch.observe(6.5)); // the next one counts again
    }

    void anExplosionAtTheBeginningIsReportedOnce()
    {
        LossWatch watch;
        std::vector<int> found;
        for (int step = 0; step < 60; ++step) {
            const double loss = step < 3 ? lossAt(step) : 160;
            const auto early = watch.explodesEarly(loss, 13);
            if (early) found.push_back(step);
            if (early) QVERIFY(*early > 7 && *early < 9);
            QVERIFY(!watch.observe(loss));
        }
        QCOMPARE(found, std::vector<int>({ 3 }));
        LossWatch quiet;
        for (int step = 0; step < 60; ++step) {
            QVERIFY(!quiet.explodesEarly(lossAt(step), 13));
            quiet.observe(lossAt(step));
        }
    }

    void fiftyLossesFarAboveThoseBeforeAreADivergence_data()
    {
        QTest::addColumn<int>("from");
        QTest::newRow("at the beginning") << 2;
        QTest::newRow("later") << 300;
    }
    void fiftyLossesFarAboveThoseBeforeAreADivergence()
    {
        QFETCH(int, from);
        LossWatch watch;
        const auto diverges = [&](double loss) {
            const bool yes = watch.diverges(loss, 6.7);
            watch.observe(loss);
            return yes;
        };
        for (int step = 0; step < from; ++step) QVERIFY(!diverges(lossAt(step)));
        for (int i = 0; i < 49; ++i) QVERIFY(!diverges(40));
        QVERIFY(!diverges(4)); // it came back in time
        for (int i = 0; i < 49; ++i) QVERIFY(!diverges(400));
        LossWatch resumed;
        resumed.restore(Json::parse(watch.state().dump()));
        QVERIFY(resumed.diverges(400, 6.7));
    }

    void aSmallLossMayGrow()
    {
        LossWatch watch;
        for (int step = 0; step < 300; ++step) {
            const double loss = step < 100 ? 0.001 : 0.1;
            QVERIFY(!watch.diverges(loss, 2.8));
            watch.observe(loss);
        }
    }

    void spikesDoNotHideEachOther()
    {
        LossWatch watch;
        std::vector<int> found; // as soon as the fall is over, and however many there were
        for (int step = 0; step < 700; ++step)
            if (watch.observe(lossAt(step) + (step >= 200 && step % 20 == 0 ? 1.5 : 0))) found.push_back(step);
        QCOMPARE(found.size(), std::size_t(25));
        for (std::size_t i = 0; i < found.size(); ++i) QCOMPARE(found[i], 200 + 20 * int(i));
    }

    void aFirstLossIsNearTheLogarithmOfTheVocabulary()
    {
        QVERIFY(!farFromUniform(6.73, 800)); // ln 800 is 6.68
        QVERIFY(!farFromUniform(2.85, 16));
        QVERIFY(farFromUniform(9.1, 800));
        QVERIFY(farFromUniform(0.4, 16));
    }

    void aResumeGoesOnExactly()
    {
        LossWatch whole, first, second;
        for (int step = 0; step < 200; ++step) {
            whole.observe(lossAt(step));
            first.observe(lossAt(step));
        }
        second.restore(Json::parse(first.state().dump()));
        const auto other = second.observe(20), same = whole.observe(20);
        QVERIFY(other && same && other->deviations == same->deviations && other->median == same->median);
        QVERIFY(second.state() == whole.state());
        LossWatch fresh;
        fresh.restore(Json::object());
        QVERIFY(fresh.state() == LossWatch().state());
    }
};

PHA_TEST(LossWatchTest)
#include "loss_watch_test.moc"
