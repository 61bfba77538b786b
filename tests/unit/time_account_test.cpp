// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/time_account.h"

#include "tests/suite.h"

#include <QTest>

using namespace pha;
using Activity = TimeAccount::Activity;

class TimeAccountTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void eachMomentBelongsToTheInnermostActivity()
    {
        constexpr double tick = 0.02;
        const auto work = [] { QTest::qSleep(20); };
        ActiveClock clock;
        TimeAccount account(clock);
        const double begun = clock.seconds();
        work(); // of nobody
        {
            const TimeAccount::Scope updates(&account, Activity::Updates);
            work();
            {
                const TimeAccount::Scope data(&account, Activity::Data);
                work();
                const double soFar = account.spent(Activity::Data); // asked from inside, it is up to date
                QVERIFY(soFar >= tick);
                work();
                QVERIFY(account.spent(Activity::Data) >= soFar + tick);
            }
            work();
        }
        {
            const TimeAccount::Scope again(&account, Activity::Updates);
            work();
        }
        const TimeAccount::Scope nobody(nullptr, Activity::Samples);
        double whole = 0;
        for (const auto activity : { Activity::Updates, Activity::Data, Activity::Evaluation, Activity::Samples,
                 Activity::Checkpoints, Activity::Monitoring })
            whole += account.spent(activity);
        QVERIFY(account.spent(Activity::Updates) >= 3 * tick);
        QCOMPARE(account.spent(Activity::Samples), 0.0);
        const double none = account.spent(Activity::None), elapsed = clock.seconds() - begun;
        QVERIFY(none >= tick && whole + none <= elapsed + 0.001);
        QVERIFY2(whole + none > elapsed - 0.01, qPrintable(QString::number(elapsed - whole - none)));
    }
};

PHA_TEST(TimeAccountTest)
#include "time_account_test.moc"
