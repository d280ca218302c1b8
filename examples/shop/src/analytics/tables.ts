/**
 * The read models of analytics: plain tables, made by migrations, filled by statements that ride in the commit of the
 * event they count.
 */
export const migrations: Readonly<Record<string, string>> = {
  "1-books": `
    CREATE TABLE analytics_books (kind TEXT PRIMARY KEY, invoices INTEGER NOT NULL, lines INTEGER NOT NULL, pence INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE analytics_countries (country TEXT PRIMARY KEY, pence INTEGER NOT NULL, since TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE analytics_customers (customer TEXT PRIMARY KEY, pence INTEGER NOT NULL, since TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE analytics_months (month TEXT PRIMARY KEY, pence INTEGER NOT NULL) WITHOUT ROWID;
  `,
  "2-stages": `
    CREATE TABLE analytics_stages (stage TEXT PRIMARY KEY, orders INTEGER NOT NULL) WITHOUT ROWID;
  `,
};
