// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs.h"

#include "ui/format.h"
#include "ui/look/icons.h"

#include <QCoreApplication>
#include <QDialog>
#include <QDialogButtonBox>
#include <QDir>
#include <QFile>
#include <QFileDialog>
#include <QFileInfo>
#include <QLabel>
#include <QLineEdit>
#include <QMessageBox>
#include <QPushButton>
#include <QVBoxLayout>

#include <cmath>

namespace pha::ui {

namespace {

bool askToConfirm(QWidget* parent, const QString& title, const QString& text, const QString& verb)
{
    QMessageBox box(parent);
    box.setObjectName(QStringLiteral("confirmDialog"));
    box.setIconPixmap(applicationIcon().pixmap(40, 40));
    box.setWindowTitle(title);
    box.setTextFormat(Qt::PlainText);
    box.setText(text);
    auto* act = box.addButton(verb, QMessageBox::AcceptRole);
    act->setObjectName(QStringLiteral("confirmButton"));
    auto* cancel = box.addButton(QMessageBox::Cancel);
    cancel->setObjectName(QStringLiteral("cancelButton"));
    box.setDefaultButton(cancel);
    box.exec();
    return box.clickedButton() == act;
}

/// Lines with a tab become rows of a table: a label's own tab stops do not know how wide the words are.
QString asTable(const QString& text)
{
    QString rows;
    for (const auto& line : text.split(QLatin1Char('\n')))
        rows += QStringLiteral("<tr><td>%1</td><td style='padding-left: 18px'>%2</td></tr>")
                    .arg(line.section(QLatin1Char('\t'), 0, 0).toHtmlEscaped(),
                        line.section(QLatin1Char('\t'), 1).toHtmlEscaped());
    return QStringLiteral("<table>%1</table>").arg(rows);
}

void showText(QWidget* parent, const QString& title, const QString& text)
{
    QMessageBox box(parent);
    box.setObjectName(QStringLiteral("informDialog"));
    box.setWindowTitle(title);
    const bool table = text.contains(QLatin1Char('\t'));
    box.setTextFormat(table ? Qt::RichText : Qt::PlainText);
    box.setText(table ? asTable(text) : text);
    box.setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    box.exec();
}

/// Not QInputDialog: its spin box follows the locale and hides small values.
std::optional<double> askForNumber(QWidget* parent, const QString& title, const QString& label, double value)
{
    QDialog dialog(parent);
    dialog.setObjectName(QStringLiteral("numberDialog"));
    dialog.setWindowTitle(title);
    auto* text = new QLabel(label);
    text->setTextFormat(Qt::PlainText);
    const bool whole = value == std::floor(value) && std::abs(value) < 1e15; // a number of steps, with all its digits
    auto* edit = new QLineEdit(whole ? QString::number(value, 'f', 0) : formatNumber(value, 6));
    edit->setObjectName(QStringLiteral("numberEdit"));
    edit->setAccessibleName(label);
    edit->selectAll();
    text->setBuddy(edit);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Ok | QDialogButtonBox::Cancel);
    auto* layout = new QVBoxLayout(&dialog);
    layout->addWidget(text);
    layout->addWidget(edit);
    layout->addWidget(buttons);
    const auto check = [edit, buttons] {
        bool ok = false;
        const double number = edit->text().trimmed().toDouble(&ok);
        buttons->button(QDialogButtonBox::Ok)->setEnabled(ok && std::isfinite(number));
    };
    QObject::connect(edit, &QLineEdit::textChanged, buttons, check);
    QObject::connect(buttons, &QDialogButtonBox::accepted, &dialog, &QDialog::accept);
    QObject::connect(buttons, &QDialogButtonBox::rejected, &dialog, &QDialog::reject);
    if (dialog.exec() != QDialog::Accepted) return std::nullopt;
    return edit->text().trimmed().toDouble();
}

std::optional<QString> trash(const QString& path)
{
    QString place;
    if (!QFile::moveToTrash(path, &place)) return std::nullopt;
    return place;
}

bool restore(const QString& inTrash, const QString& path)
{
    if (inTrash.isEmpty() || QFileInfo::exists(path) || !QDir().rename(inTrash, path)) return false;
    // What the trash knows of it: Trash/files/NAME and Trash/info/NAME.trashinfo (freedesktop.org).
    const QFileInfo was(inTrash);
    QFile::remove(was.dir().filePath(QStringLiteral("../info/%1.trashinfo").arg(was.fileName())));
    return true;
}

} // namespace

QString textFilter()
{
    return QCoreApplication::translate(
        "pha::ui::Dialogs", "Text (*.txt *.raw *.jsonl *.parquet *.gz *.zst *.xz *.zip *.tar);;All files (*)");
}

Dialogs Dialogs::real()
{
    Dialogs d;
    d.confirm = askToConfirm;
    d.inform = showText;
    d.number = askForNumber;
    d.openFile = [](QWidget* parent, const QString& title, const QString& filter) {
        return QFileDialog::getOpenFileName(parent, title, {}, filter);
    };
    d.saveFile = [](QWidget* parent, const QString& title, const QString& filter, const QString& suggestion) {
        return QFileDialog::getSaveFileName(parent, title, suggestion, filter);
    };
    d.openFolder = [](QWidget* parent, const QString& title) {
        return QFileDialog::getExistingDirectory(parent, title);
    };
    d.moveToTrash = trash;
    d.putBack = restore;
    return d;
}

} // namespace pha::ui
