// SPDX-License-Identifier: GPL-3.0-or-later
// What readers of alerts ask, and how many of them are examined.
#include "engine/run/alerts.h"
#include "engine/train/alert_limit.h"
#include "tests/suite.h"

#include <QtTest>

#include <cmath>

using namespace pha;

class AlertsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void fewAlertsAreExamined()
    {
        AlertLimit limit;
        int taken = 0;
        for (int step = 100; step < 1100; ++step) taken += limit.take(step, 5);
        QCOMPARE(taken, 5);
        AlertLimit spaced;
        QVERIFY(!AlertLimit().take(1, 0));
        QVERIFY(spaced.take(1, 20));
        QVERIFY(!spaced.take(AlertLimit::spacing, 20));
        AlertLimit resumed;
        resumed.restore(Json::parse(spaced.state().dump()));
        QVERIFY(!resumed.take(AlertLimit::spacing, 20));
        QVERIFY(resumed.take(1 + AlertLimit::spacing, 20));
        QVERIFY(!resumed.take(1 + 3 * AlertLimit::spacing, 2));
        AlertLimit fresh;
        fresh.restore(Json());
        QVERIFY(fresh.take(1, 1));
    }

    void mixingIsThatBeforeAndThatAfter()
    {
        const std::vector<MixingEvent> events { { 1, {} }, { 25, {} }, { 50, {} } };
        const auto around = mixingAround(events, 26);
        QCOMPARE(around.before->step, std::int64_t(25));
        QCOMPARE(around.after->step, std::int64_t(50));
        QCOMPARE(mixingAround(events, 25).before->step, std::int64_t(1)); // measured after update 25
        QVERIFY(!mixingAround(events, 1).before && !mixingAround(events, 51).after);
    }

    void aSkipIsPutAmongOthers()
    {
        QCOMPARE(skipFrom("", 8120, 3), std::string("8120+3"));
        QCOMPARE(skipFrom("100+2,900+1", 300, 5), std::string("100+2,300+5,900+1"));
        QCOMPARE(skipFrom("300+1", 300, 5), std::string("300+6")); // what came then was no better
    }

    void costliestTokensComeFirst()
    {
        const CostlyText text { 0, "", 0, 0, 0, 4, { { "a", {} }, { "b", 2 }, { "c", std::nan("") }, { "d", 3 } } };
        const auto tokens = costliestTokens(text, 2);
        QCOMPARE(tokens.size(), std::size_t(2));
        QCOMPARE(tokens[0].text, std::string("c"));
        QCOMPARE(tokens[1].text, std::string("d"));
    }
};

PHA_TEST(AlertsTest)
#include "alerts_test.moc"
