/** Vite turns imported styles into a file of the page. */
declare module '*.css';
