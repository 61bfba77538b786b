// SPDX-License-Identifier: GPL-3.0-or-later
// Other keys for commands: assigned, told of conflicts, refused, kept, taken back.
#include "tests/suite.h"
#include "ui/look/theme.h"
#include "ui/window/key_field.h"
#include "ui/window/shortcut_sheet.h"
#include "ui/window/shortcuts.h"
#include "window_fixture.h"

#include <QLabel>
#include <QPushButton>
#include <QSettings>
#include <QTreeWidget>

using namespace pha;
using namespace pha::ui;
using Fixture = test::WindowFixture;

namespace {

struct Sheet {
    Fixture f;
    ShortcutSheet* sheet = nullptr;

    Sheet() { open(); }
    void open()
    {
        f.action("shortcuts")->trigger();
        sheet = f.window->findChild<ShortcutSheet*>();
        QVERIFY(sheet && sheet->isVisible());
    }
    QTreeWidget* list() const { return sheet->findChild<QTreeWidget*>(); }
    QPushButton* button(const char* name) const { return sheet->findChild<QPushButton*>(QLatin1String(name)); }
    QString message() const { return sheet->findChild<QLabel*>(QStringLiteral("shortcutMessage"))->text(); }
    QString keysOf(const QString& command) const
    {
        return list()->findItems(command, Qt::MatchExactly).value(0)->text(1);
    }
    void press(const QString& command, const QKeySequence& keys) const
    {
        list()->setCurrentItem(list()->findItems(command, Qt::MatchExactly).value(0));
        auto* field = sheet->findChild<KeyField*>(QStringLiteral("shortcutKeys"));
        field->setFocus();
        QTest::keyClick(field, keys[0].key(), keys[0].keyboardModifiers());
    }
};

} // namespace

class ShortcutSheetTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void aCommandGetsOtherKeys()
    {
        Sheet s;
        QCOMPARE(s.keysOf("Start new run"), QStringLiteral("Ctrl+R"));
        s.press("Logarithmic axis", QKeySequence("Ctrl+J"));
        QVERIFY(s.button("shortcutAssign")->isEnabled());
        s.button("shortcutAssign")->click();
        QCOMPARE(s.keysOf("Logarithmic axis"), QStringLiteral("Ctrl+J"));
        auto* action = s.f.action("logAxis");
        QVERIFY2(action->toolTip().contains("(Ctrl+J)"), qPrintable(action->toolTip()));
        s.sheet->close();
        int done = 0;
        connect(action, &QAction::triggered, this, [&] { ++done; });
        s.f.window->activateWindow();
        s.f.window->setFocus();
        QTest::keyClick(s.f.window.get(), Qt::Key_L);
        QCOMPARE(done, 0);
        QTest::keyClick(s.f.window.get(), Qt::Key_J, Qt::ControlModifier);
        QCOMPARE(done, 1);
        s.f.open(); // the next window has them as well
        QCOMPARE(s.f.action("logAxis")->shortcut(), QKeySequence("Ctrl+J"));
        s.open();
        s.press("Logarithmic axis", QKeySequence("Ctrl+J"));
        QVERIFY(!s.button("shortcutAssign")->isEnabled()); // it has them
        s.button("shortcutUsual")->click();
        QCOMPARE(s.keysOf("Logarithmic axis"), QStringLiteral("L"));
        QVERIFY(!s.button("shortcutUsual")->isEnabled() && !s.button("shortcutResetAll")->isEnabled());
    }

    void conflictsAreTold()
    {
        Sheet s;
        s.press("Fit and follow", QKeySequence("Ctrl+R"));
        QVERIFY2(s.message().contains("Ctrl+R is the key of \u201cStart new run\u201d"), qPrintable(s.message()));
        QCOMPARE(s.keysOf("Start new run"), QStringLiteral("Ctrl+R")); // nothing has happened yet
        s.button("shortcutAssign")->click();
        QCOMPARE(s.keysOf("Fit and follow"), QStringLiteral("Ctrl+R"));
        QCOMPARE(s.keysOf("Start new run"), QString());
        QVERIFY(!s.f.action("startRun")->toolTip().contains("Ctrl"));
        s.f.open();
        QCOMPARE(s.f.action("fitAndFollow")->shortcut(), QKeySequence("Ctrl+R"));
        QVERIFY(s.f.action("startRun")->shortcut().isEmpty());
        s.open();
        s.button("shortcutResetAll")->click();
        QCOMPARE(s.f.action("startRun")->shortcut(), QKeySequence("Ctrl+R"));
        QCOMPARE(s.f.action("fitAndFollow")->shortcut(), QKeySequence("F"));
    }

    void ofTwoKeysOnlyTheOneThatWasNamedIsTaken()
    {
        Sheet s;
        const QKeySequence taken("Ctrl+=");
        auto rest = s.f.action("textLarger")->shortcuts();
        QVERIFY(rest.contains(taken));
        rest.removeAll(taken);
        QVERIFY(!rest.isEmpty());
        s.press("Logarithmic axis", taken);
        QVERIFY2(s.message().startsWith("Ctrl+= is the key of \u201cLarger text\u201d"), qPrintable(s.message()));
        s.button("shortcutAssign")->click();
        QCOMPARE(s.f.action("logAxis")->shortcut(), taken);
        QCOMPARE(s.f.action("textLarger")->shortcuts(), rest);
        s.f.open();
        QCOMPARE(s.f.action("logAxis")->shortcut(), taken);
        QCOMPARE(s.f.action("textLarger")->shortcuts(), rest);
    }

    void keysThatWorkElsewhereAreRefused()
    {
        Sheet s;
        for (const char* keys : { "Left", "Home", "Alt+F", "Ctrl+C" }) {
            s.press("Fit and follow", QKeySequence(QLatin1String(keys)));
            QVERIFY2(s.message().contains("choose other keys"), keys);
            QVERIFY2(!s.button("shortcutAssign")->isEnabled(), keys);
        }
        s.button("shortcutNone")->click();
        QCOMPARE(s.keysOf("Fit and follow"), QString());
    }

    void settingsOfAnotherVersionDoNotDoubleKeys()
    {
        Fixture f;
        QSettings().setValue("shortcuts/groupSeeds", "Ctrl+R"); // which another command has by now
        QSettings().setValue("shortcuts/fitAndFollow", "Left");
        f.open();
        QCOMPARE(f.action("groupSeeds")->shortcut(), QKeySequence("Ctrl+R"));
        QVERIFY(f.action("startRun")->shortcut().isEmpty());
        QCOMPARE(f.action("fitAndFollow")->shortcut(), QKeySequence("F"));
    }

    void findsByNameAndByKeys()
    {
        Sheet s;
        auto* search = s.sheet->findChild<QLineEdit*>(QStringLiteral("shortcutSearch"));
        const auto visible = [&] {
            QStringList names;
            for (int i = 0; i < s.list()->topLevelItemCount(); ++i)
                if (!s.list()->topLevelItem(i)->isHidden()) names << s.list()->topLevelItem(i)->text(0);
            return names;
        };
        search->setText("play back");
        QCOMPARE(visible(), QStringList { "Play back" });
        search->setText("f11");
        QCOMPARE(visible(), QStringList { "Presentation" });
        search->clear();
        QCOMPARE(visible().size(), s.f.window->actions().size());
        s.f.action("shortcuts")->trigger();
        QCOMPARE(s.f.window->findChildren<ShortcutSheet*>().size(), 1);
    }
};

PHA_TEST(ShortcutSheetTest)
#include "shortcut_sheet_test.moc"
