// SPDX-License-Identifier: GPL-3.0-or-later
// Reads all that the window shows while a PseudoLocale is installed: what did not go through tr(), what has no room.
#pragma once

#include "engine/config/parts.h"
#include "engine/data/catalogue.h"
#include "engine/data/corpus.h"
#include "engine/run/run_figures.h"
#include "pseudo_locale.h"
#include "ui/charts/chart_frame.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/controls/controls.h"
#include "window_fixture.h"

#include <QtWidgets>

#include <algorithm>
#include <utility>

namespace pha::test {

/// What is shown as it is. The engine's words are English by design: the command line and files have the same.
inline QSet<QString> dataOf(const WindowFixture& f)
{
    QSet<QString> data { "PHA Studio", "rn1", "rn2", "long", "pha-tiny-stories" }; // program, runs
    const auto add = [&](const auto&... texts) { (data.insert(QString::fromStdString(texts)), ...); };
    for (const auto& [group, field] : allFields()) {
        add(field.name, field.label, field.section, field.help);
        for (const auto& choice : field.choices) add(choice);
    }
    for (const auto& preset : presets()) add(preset.name, preset.summary);
    for (const auto& corpus : builtinCorpora()) add(corpus.name, corpus.summary);
    for (const auto& entry : catalogue()) add(entry.name, entry.title, entry.about, entry.licence);
    for (const auto& part : parts()) add(part.name, part.title);
    for (const auto& figure : comparedFigures()) add(figure.name);
    for (const char* word : { "preset", "true", "false", "text", "valid", "train", "forward", "prompt", "decode",
             "embedding", "gss.value", "all equal", "fp32", "F32", "cpu", "SHA-256", "spike", "evaluating", "windows" })
        data << QLatin1String(word); // values, splits, modes, tensors, what is odd with them, progress
    for (const char* unit : { "s", "ms", "KiB", "MiB", "GiB", "k", "M", "e", "x" }) data << QLatin1String(unit);
    for (const auto* action : f.window->actions())
        for (const auto& keys : action->shortcuts())
            for (const auto& key : keys.toString(QKeySequence::NativeText).split(QLatin1Char('+'))) data << key;
    return data;
}

/// Its cells are tokens, or texts of the network.
inline bool showsTokens(const QObject* view)
{
    return view->objectName() == QLatin1String("inspectLens")
        || view->objectName() == QLatin1String("playgroundHistory");
}

class WindowReader {
public:
    /// Reads all that is there now.
    void look(const WindowFixture& f, const QString& stage)
    {
        stage_ = stage;
        data_ = dataOf(f);
        QStringList list;
        if (!QTest::qWaitFor([&] { return (list = cut()).isEmpty(); }, test::patience))
            for (const auto& line : list) problems_ << stage + QStringLiteral(": ") + line;
        if (f.window->size() != QSize(1280, 800)) problems_ << stage + QStringLiteral(": the window has grown");
        for (auto* widget : QApplication::allWidgets()) {
            read(widget);
            for (auto* action : widget->actions()) read(action);
        }
        for (const auto& text : f.words) read(f.window.get(), "dialog", text);
    }
    int texts() const { return int(read_.size()); } ///< different ones with letters
    QStringList takeProblems() { return std::exchange(problems_, {}); }

private:
    /// A line of `text` that has letters outside all marks, and is not data.
    bool english(QString text) const
    {
        static const QRegularExpression markup(QStringLiteral("<[^<>]*>|&[a-z]+;"));
        static const QRegularExpression places(QStringLiteral("(?<!\\w)(https?:/)?/\\S+|[0-9a-f]{16,}|^pha .*$"),
            QRegularExpression::MultilineOption); // paths, addresses, checksums, commands
        static const QRegularExpression word(QStringLiteral("\\p{L}(?:[\\p{L}\\p{N}_.-]*[\\p{L}\\p{N}])?"));
        // Layers, small numbers, durations in the units that are the same everywhere.
        static const QRegularExpression figures(QStringLiteral("\\bL\\d+|\\d[\\d.]*e-\\d+|\\d (?:d|h|min|s|ms)\\b"));
        text.replace(QStringLiteral("<br>"), QStringLiteral("\n")).remove(markup);
        QString rest;
        int depth = 0;
        for (const auto c : text) {
            if (c == QChar(test::markBegin)) ++depth, rest += QLatin1Char('\n');
            if (depth == 0) rest += c;
            if (c == QChar(test::markEnd)) --depth;
        }
        for (const auto& line : rest.remove(places).remove(figures).split(QLatin1Char('\n'))) {
            if (data_.contains(line.trimmed())) continue;
            for (auto found = word.globalMatch(line); found.hasNext();)
                if (!data_.contains(found.next().captured())) return true;
        }
        return false;
    }
    void read(const QObject* object, const char* role, const QString& text)
    {
        if (read_.contains(text) || std::none_of(text.begin(), text.end(), [](QChar c) { return c.isLetter(); }))
            return;
        read_ << text;
        if (english(text))
            problems_ << QStringLiteral("%1: %2 of %3 is not translated: %4")
                             .arg(stage_, QLatin1String(role), object->objectName(), text);
    }
    void read(const QObject* object)
    {
        // Text that somebody typed or the network wrote, what repeats another one, what nobody sees.
        static const QSet<QByteArray> skipped { "objectName", "styleSheet", "windowIconText", "windowFilePath",
            "windowRole", "inputMask", "displayText", "selectedText", "html", "markdown", "currentText", "cleanText",
            "documentTitle", "format", "plainText" };
        const bool typed = qobject_cast<const QLineEdit*>(object) || qobject_cast<const QAbstractSpinBox*>(object);
        for (int i = 0; i < object->metaObject()->propertyCount(); ++i) {
            const auto property = object->metaObject()->property(i);
            if (property.metaType() != QMetaType::fromType<QString>() || skipped.contains(property.name())) continue;
            if (!typed || qstrcmp(property.name(), "text") != 0)
                read(object, property.name(), property.read(object).toString());
        }
        if (const auto* log = qobject_cast<const QTextEdit*>(object); log && log->objectName() == "runLog")
            read(log, "line", log->toPlainText());
        if (const auto* tabs = qobject_cast<const QTabBar*>(object))
            for (int i = 0; i < tabs->count(); ++i)
                read(tabs, "tab", tabs->tabText(i)), read(tabs, "tool tip", tabs->tabToolTip(i));
        if (const auto* box = qobject_cast<const QComboBox*>(object)) readModel(box, box->model(), {});
        const auto* view = qobject_cast<const QAbstractItemView*>(object);
        if (view && view->model() && !showsTokens(view) && !view->inherits("QHeaderView"))
            readModel(view, view->model(), {});
        if (const auto* chart = qobject_cast<const ui::ChartFrame*>(object))
            for (const auto& sheet : chart->sheets()) {
                read(chart, "sheet", sheet.name);
                for (const auto& column : sheet.columns) read(chart, "column", column);
            }
        if (const auto* plot = qobject_cast<const QCustomPlot*>(object))
            for (auto* area : plot->axisRects())
                for (auto* axis : area->axes()) read(plot, "axis", axis->label());
    }
    void readModel(const QObject* view, const QAbstractItemModel* model, const QModelIndex& parent)
    {
        for (int column = 0; column < model->columnCount(parent) && !parent.isValid(); ++column)
            for (const auto role : { Qt::DisplayRole, Qt::ToolTipRole })
                read(view, "header", model->headerData(column, Qt::Horizontal, role).toString());
        for (int row = 0; row < model->rowCount(parent); ++row)
            for (int column = 0; column < model->columnCount(parent); ++column) {
                const auto index = model->index(row, column, parent);
                for (const auto role : { Qt::DisplayRole, Qt::ToolTipRole, Qt::AccessibleTextRole })
                    read(view, "cell", index.data(role).toString());
                if (column == 0) readModel(view, model, index);
            }
    }
    /// Controls and labels that have less room than their text needs, one line each.
    static QStringList cut()
    {
        QStringList list;
        for (auto* widget : QApplication::allWidgets()) {
            if (widget->visibleRegion().isEmpty()) continue;
            const auto* button = qobject_cast<QAbstractButton*>(widget);
            const auto* label = qobject_cast<QLabel*>(widget);
            const auto* tabs = qobject_cast<QTabBar*>(widget);
            const auto* area = qobject_cast<QScrollArea*>(widget);
            const bool oneLine =
                label && !label->text().isEmpty() && !label->wordWrap() && !qobject_cast<const ui::ElidedLabel*>(label);
            const bool whole = oneLine || (button && !button->text().isEmpty())
                || (tabs && tabs->elideMode() != Qt::ElideNone); // with arrows it scrolls
            if (whole && widget->width() < widget->sizeHint().width())
                list << QStringLiteral("%1 is %2 wide and needs %3")
                            .arg(widget->objectName()
                                + (label         ? label->text()
                                        : button ? button->text()
                                                 : QString()))
                            .arg(widget->width())
                            .arg(widget->sizeHint().width());
            if (label && label->wordWrap() && label->heightForWidth(label->width()) > label->height())
                list << widget->objectName() + QStringLiteral(" has too few lines");
            if (area && area->horizontalScrollBar()->maximum() > 0)
                list << widget->objectName() + QStringLiteral(" scrolls sideways");
        }
        return list;
    }
    QSet<QString> data_, read_;
    QStringList problems_;
    QString stage_;
};

} // namespace pha::test
