// SPDX-License-Identifier: GPL-3.0-or-later
// What is shown where room is short.
#include "tests/suite.h"
#include "ui/charts/chart_frame.h"
#include "ui/controls/controls.h"
#include "ui/controls/folding_splitter.h"
#include "ui/look/theme.h"

#include <QComboBox>
#include <QLabel>
#include <QPainter>
#include <QScrollArea>
#include <QStyle>
#include <QTest>

using namespace pha::ui;

class NarrowTest : public QObject {
    Q_OBJECT

private:
    /// Columns of pixels in which something of that colour stands.
    static int columns(const QImage& image, const QColor& colour)
    {
        int count = 0;
        for (int x = 0; x < image.width(); ++x) {
            bool found = false;
            for (int y = 0; y < image.height(); ++y) found |= image.pixelColor(x, y) == colour;
            count += found;
        }
        return count;
    }
    static QImage header(int width, const QString& title, const QString& headline)
    {
        ChartHeader head(nullptr);
        head.setTitle(title);
        head.setHeadline(headline);
        QImage image(width, 24, QImage::Format_RGB32);
        image.fill(Qt::white);
        QPainter painter(&image);
        head.draw(painter, QRectF(image.rect()));
        return image;
    }

private Q_SLOTS:
    void initTestCase()
    {
        Theme::instance().apply();
        Theme::instance().setMode(Theme::Mode::Light);
    }

    void theFigureOfAChartIsNeverHalfAFigure()
    {
        const auto accent = Theme::instance().colours().accent;
        const auto whole = columns(header(400, "Memory", "386 MiB"), accent);
        QVERIFY(whole > 8);
        for (int width = 400; width >= 92; --width)
            QVERIFY2(std::abs(columns(header(width, "Memory", "386 MiB"), accent) - whole) <= 3,
                qPrintable(QString::number(width)));
        // Where there is no room for both the title is what stays.
        QVERIFY(columns(header(60, "Memory", "386 MiB"), accent) == 0);
    }

    void aChoiceThatIsTooLongEndsInDots()
    {
        QComboBox box;
        box.addItem(QStringLiteral("2026-11-27 17:46 and a good many words more"));
        box.setFixedWidth(160);
        const auto before = box.grab().toImage();
        QStyleOptionComboBox option;
        option.initFrom(&box);
        const auto room = box.style()->subControlRect(QStyle::CC_ComboBox, &option, QStyle::SC_ComboBoxEditField, &box);
        box.setItemText(0, box.fontMetrics().elidedText(box.itemText(0), Qt::ElideRight, room.width()));
        QVERIFY(box.itemText(0).endsWith(QChar(0x2026)));
        QCOMPARE(box.grab().toImage(), before);
    }

    void ofALabelDotsAloneAreNotDrawn()
    {
        ElidedLabel label(nullptr, QStringLiteral("Linux on 2 cores"), "small");
        label.resize(18, 20);
        const auto cut = label.grab().toImage();
        label.setText({});
        QCOMPARE(cut, label.grab().toImage());
    }

    void partsGoBelowOneAnother()
    {
        QScrollArea area;
        area.setWidgetResizable(true);
        auto* split = new FoldingSplitter(nullptr, "split");
        for (int i = 0; i < 2; ++i) {
            auto* part = new QLabel(QStringLiteral("part"));
            part->setMinimumSize(300, i == 0 ? 350 : 200);
            split->addWidget(part);
        }
        area.setWidget(split);
        area.resize(900, 420);
        area.show();
        QVERIFY(QTest::qWaitForWindowExposed(&area));
        QCOMPARE(split->orientation(), Qt::Horizontal);
        QVERIFY(split->height() <= area.viewport()->height());
        split->setSizes({ 320, 560 });
        const auto before = split->sizes();
        area.resize(500, 420);
        QTRY_COMPARE(split->orientation(), Qt::Vertical);
        QTRY_VERIFY(split->width() <= area.viewport()->width()); // nothing to scroll sideways
        QTRY_VERIFY(split->height() > 400);
        area.resize(900, 420);
        QTRY_COMPARE(split->orientation(), Qt::Horizontal);
        QTRY_COMPARE(split->sizes(), before); // as the user had them
    }
};

PHA_TEST(NarrowTest)
#include "narrow_test.moc"
